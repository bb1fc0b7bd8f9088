"""The one script that Redis runs for budgets: a list of orders, all under one reading of its clock.

A pot is a hash: `base` and `spent` add up to what is spent, `held` is what is reserved, `alerted`
the highest threshold that was told of, `h:` and `x:` before a lease the amount that it holds, or
that was counted as spent when it lapsed. Beside it a sorted set has the open leases by the
microsecond at which they lapse unless they are renewed. Amounts are whole nano-USD.

The epoch is a key that is made when it is missing: another epoch means that Redis has lost its
memory. What a gateway knows from an earlier epoch is then put back as `base`, to which the spending
of this one adds; a floor raises the sum.
"""

from __future__ import annotations

from typing import Final

BUDGETS: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = string.format('%.0f', now)
  redis.call('SET', KEYS[1], epoch)
end

-- adding 0 makes -0 a plain 0
local function whole(number) return string.format('%.0f', number + 0) end

local function add(key, field, amount)
  return tonumber(redis.call('HINCRBY', key, field, whole(amount)))
end

-- a call is over, or its gateway is gone: what it held counts as spent
local function lapse(key, leases)
  for _, lease in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
    local amount = redis.call('HGET', key, 'h:' .. lease)
    redis.call('ZREM', leases, lease)
    redis.call('HDEL', key, 'h:' .. lease)
    redis.call('HSET', key, 'x:' .. lease, amount)
    add(key, 'held', -amount)
    add(key, 'spent', amount)
  end
end

-- pot: {key, limit (-1: soft), milliseconds at which it can be forgotten (0: never), known epoch,
-- known amount, known alert, floor, floor's alert, thresholds}; the leases' key follows the pot's
local function read(pot)
  local one = {key = KEYS[pot[1]], leases = KEYS[pot[1] + 1], limit = pot[2]}
  lapse(one.key, one.leases)
  local found = redis.call('HMGET', one.key, 'base', 'spent', 'held', 'alerted')
  local base, spent = tonumber(found[1] or 0), tonumber(found[2] or 0)
  local alerted = math.max(tonumber(found[4] or 0), pot[8])
  local raised = base
  if pot[4] ~= epoch then
    raised = math.max(raised, pot[5])
    alerted = math.max(alerted, pot[6])
  end
  raised = math.max(raised, pot[7] - spent)
  if raised ~= base then redis.call('HSET', one.key, 'base', whole(raised)) end
  one.total, one.held = raised + spent, tonumber(found[3] or 0)
  one.alerted, one.told = alerted, tonumber(found[4] or 0)
  one.thresholds, one.ends_ms = pot[9], pot[3]
  return one
end

-- what became of it: {spent, held, alerted before, alerted now}
local function told(one)
  local before = one.alerted
  for _, threshold in ipairs(one.thresholds) do
    if threshold > one.alerted and threshold <= one.total then one.alerted = threshold end
  end
  if one.alerted ~= one.told then redis.call('HSET', one.key, 'alerted', whole(one.alerted)) end
  if one.ends_ms > 0 then
    redis.call('PEXPIREAT', one.key, whole(one.ends_ms))
    redis.call('PEXPIREAT', one.leases, whole(one.ends_ms))
  end
  return {one.total, one.held, before, one.alerted}
end

local function hold(one, lease, amount, lasting_us)
  if redis.call('HSETNX', one.key, 'h:' .. lease, whole(amount)) == 1 then
    one.held = add(one.key, 'held', amount)
  end
  redis.call('ZADD', one.leases, whole(now + lasting_us), lease)
end

local orders = {}

-- the first of the answer is 1 if all was held, 0 if nothing; the second has a row for each pot
function orders.reserve(lease, lasting_us, amount, pots)
  local found, fits = {}, 1
  for i, pot in ipairs(pots) do
    local one = read(pot)
    local rest = math.max(0, one.limit - one.total - one.held)
    if one.limit >= 0 and amount > rest then fits = 0 end
    found[i] = one
  end
  local rows = {}
  for i, one in ipairs(found) do
    if fits == 1 then hold(one, lease, amount, lasting_us) end
    rows[i] = told(one)
  end
  return {fits, rows}
end

-- carried out once, however often it comes; `done` is the key that remembers it where the lease
-- was given in another epoch, or without Redis
function orders.settle(granted_in, lease, done, cost, pots)
  local first = granted_in == epoch
    or redis.call('SET', KEYS[done], 1, 'NX', 'PX', 86400000) and true
  local rows = {}
  for i, pot in ipairs(pots) do
    local one = read(pot)
    local held = redis.call('HGET', one.key, 'h:' .. lease)
    local lapsed = redis.call('HGET', one.key, 'x:' .. lease)
    local change = 0
    if held then
      redis.call('HDEL', one.key, 'h:' .. lease)
      redis.call('ZREM', one.leases, lease)
      one.held = add(one.key, 'held', -held)
      change = cost
    elseif lapsed then
      redis.call('HDEL', one.key, 'x:' .. lease)
      change = cost - lapsed
    elseif granted_in ~= epoch and first then
      change = cost
    end
    add(one.key, 'spent', change)
    one.total = one.total + change
    rows[i] = told(one)
  end
  return {1, rows}
end

-- leases: {lease, amount, pots}
function orders.renew(lasting_us, leases)
  for _, given in ipairs(leases) do
    for _, pot in ipairs(given[3]) do
      local one = read(pot)
      local lapsed = redis.call('HGET', one.key, 'x:' .. given[1])
      if lapsed then
        redis.call('HDEL', one.key, 'x:' .. given[1])
        add(one.key, 'spent', -lapsed)
      end
      hold(one, given[1], given[2], lasting_us)
      told(one)
    end
  end
  return {1, {}}
end

function orders.look(pots)
  local rows = {}
  for i, pot in ipairs(pots) do rows[i] = told(read(pot)) end
  return {1, rows}
end

local results = {}
for i, order in ipairs(cmsgpack.unpack(ARGV[1])) do
  results[i] = orders[order[1]](unpack(order, 2))
end
return cmsgpack.pack({epoch, results})
"""
