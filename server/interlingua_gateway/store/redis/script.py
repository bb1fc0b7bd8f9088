"""The one script that Redis runs for limits: a list of orders, all under one reading of its clock.

Levels are texts `taken at`: units, and microseconds of the server's clock. Places of calls are
members of sorted sets, scored by the microsecond at which they lapse unless they are renewed. The
epoch is a key that is made when it is missing: another epoch means that Redis has lost its memory.
"""

from __future__ import annotations

from typing import Final

ORDERS: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = string.format('%.0f', now)
  redis.call('SET', KEYS[1], epoch)
end

local function taken(key, per_us)
  local text = redis.call('GET', key)
  if not text then return 0 end
  local level, at = string.match(text, '^(%S+) (%S+)$')
  return math.max(0, tonumber(level) - (now - tonumber(at)) * per_us)
end

local function write(key, level, per_us)
  if level <= 0 then
    redis.call('DEL', key)
  else
    local drained_ms = math.ceil(level / per_us / 1000) + 1000
    local text = string.format('%.17g %.0f', level, now)
    redis.call('SET', key, text, 'PX', string.format('%.0f', drained_ms))
  end
end

local function places(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return redis.call('ZCARD', key)
end

local function hold(key, lease, lasting_us)
  redis.call('ZADD', key, string.format('%.0f', now + lasting_us), lease)
  redis.call('PEXPIRE', key, string.format('%.0f', lasting_us / 1000))
end

local orders = {}

-- charges: {key, amount, capacity, units a microsecond (0: places)}
function orders.reserve(lease, lasting_us, charges)
  local levels, missing, fits = {}, {}, true
  for i, charge in ipairs(charges) do
    local key, per_us = KEYS[charge[1]], charge[4]
    levels[i] = per_us > 0 and taken(key, per_us) or places(key)
    missing[i] = math.max(0, levels[i] + charge[2] - charge[3])
    if missing[i] > 1e-6 then fits = false else missing[i] = 0 end
  end
  if not fits then return missing end
  for i, charge in ipairs(charges) do
    local key, per_us = KEYS[charge[1]], charge[4]
    if per_us > 0 then
      write(key, levels[i] + charge[2], per_us)
    else
      hold(key, lease, lasting_us)
    end
  end
  return {}
end

-- corrections: {key, units, units a microsecond}; held: keys of places
function orders.settle(granted_in, lease, corrections, held)
  for _, index in ipairs(held) do redis.call('ZREM', KEYS[index], lease) end
  if granted_in ~= epoch then return {} end
  for _, c in ipairs(corrections) do
    write(KEYS[c[1]], taken(KEYS[c[1]], c[3]) + c[2], c[3])
  end
  return {}
end

-- leases: {lease, keys of places}
function orders.renew(lasting_us, leases)
  for _, one in ipairs(leases) do
    for _, index in ipairs(one[2]) do hold(KEYS[index], one[1], lasting_us) end
  end
  return {}
end

-- buckets: {key, units a microsecond (0: places)}
function orders.look(buckets)
  local found = {}
  for i, bucket in ipairs(buckets) do
    local key, per_us = KEYS[bucket[1]], bucket[2]
    found[i] = per_us > 0 and taken(key, per_us) or places(key)
  end
  return found
end

local results = {}
for i, order in ipairs(cmsgpack.unpack(ARGV[1])) do
  results[i] = orders[order[1]](unpack(order, 2))
end
return cmsgpack.pack({epoch, results})
"""
