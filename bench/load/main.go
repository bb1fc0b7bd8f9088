// Command load offers one kind of call to one server for a short time and reports what came back.
//
// It prints "begin" when the measured window opens, "end" when it closes, and then one line of
// JSON, so that whoever runs it can read the server's CPU clock at both edges. Requests are bytes
// made beforehand and answers are counted by a marker text inside them, so that gRPC and HTTP are
// driven and checked by the same code and neither pays for parsing here.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// answer is what one call brought: tokens seen so far are given to the sink as they arrive.
type sink func(tokens int)

// caller performs one call at a time over a connection of its own or a shared one.
type caller interface {
	call(ctx context.Context, got sink) error
}

type options struct {
	protocol, address, path, body string
	headers                       headerList
	stream                        bool
	callers, connections          int
	rate                          float64
	warm, window                  time.Duration
	leastBytes, cancelAfter       int
	cancels                       int
}

type headerList []string

func (h *headerList) String() string     { return fmt.Sprint(*h) }
func (h *headerList) Set(v string) error { *h = append(*h, v); return nil }

// meter counts inside the window only.
type meter struct {
	open                       atomic.Bool
	begun, calls, tokens, errs atomic.Int64
	mu                         sync.Mutex
	latencies, firsts          []time.Duration
	firstError                 string
}

func (m *meter) failed(err error) {
	m.errs.Add(1)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.firstError == "" {
		m.firstError = err.Error()
	}
}

// once makes one call that was due at the time given; its latency counts from then.
func (m *meter) once(ctx context.Context, c caller, due time.Time, o *options) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	seen, counted := 0, m.open.Load()
	if counted {
		m.begun.Add(1)
	}
	err := c.call(ctx, func(tokens int) {
		if seen == 0 && tokens > 0 && m.open.Load() && counted {
			first := time.Since(due)
			m.mu.Lock()
			m.firsts = append(m.firsts, first)
			m.mu.Unlock()
		}
		seen += tokens
		if m.open.Load() {
			m.tokens.Add(int64(tokens))
		}
		if o.cancelAfter > 0 && seen >= o.cancelAfter {
			cancel()
		}
	})
	if o.cancelAfter > 0 && seen >= o.cancelAfter {
		err = nil
	}
	if !m.open.Load() || ctx.Err() == context.Canceled && o.cancelAfter == 0 {
		return
	}
	if err != nil {
		m.failed(err)
		return
	}
	m.calls.Add(1)
	if counted {
		m.mu.Lock()
		m.latencies = append(m.latencies, time.Since(due))
		m.mu.Unlock()
	}
}

func milliseconds(d []time.Duration) map[string]float64 {
	if len(d) == 0 {
		return nil
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	at := func(q float64) float64 {
		return float64(d[int(q*float64(len(d)-1))].Microseconds()) / 1000
	}
	return map[string]float64{"p50": at(.5), "p90": at(.9), "p99": at(.99), "max": at(1)}
}

func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// start sets every caller to work: in a closed loop, or at the times of an open one.
func start(ctx context.Context, o *options, m *meter, callers []caller, left *atomic.Int64) *sync.WaitGroup {
	var working sync.WaitGroup
	due := make(chan time.Time, 1<<16)
	for i, c := range callers {
		working.Add(1)
		go func() {
			defer working.Done()
			if o.rate > 0 {
				for at := range due {
					m.once(ctx, c, at, o)
				}
				return
			}
			time.Sleep(o.warm / 2 * time.Duration(i) / time.Duration(len(callers)))
			for ctx.Err() == nil && (o.cancels == 0 || left.Add(-1) >= 0) {
				m.once(ctx, c, time.Now(), o)
				if m.errs.Load() > 0 {
					time.Sleep(10 * time.Millisecond) // a failing server is not worth a storm
				}
			}
		}()
	}
	if o.rate > 0 {
		go func() {
			defer close(due)
			step := time.Duration(float64(time.Second) / o.rate)
			for at := time.Now(); ctx.Err() == nil; at = at.Add(step) {
				time.Sleep(time.Until(at))
				due <- time.Now() // the timer's own lateness is not the server's
			}
		}()
	}
	return &working
}

func parse() *options {
	o := &options{}
	flag.StringVar(&o.protocol, "protocol", "grpc", "grpc or http")
	flag.StringVar(&o.address, "address", "", "host:port of the server")
	flag.StringVar(&o.path, "path", "", "full gRPC method, or HTTP path")
	flag.StringVar(&o.body, "body", "", "file with the request's bytes")
	flag.Var(&o.headers, "header", "name: value; repeatable")
	flag.BoolVar(&o.stream, "stream", false, "the answer is a stream of tokens")
	flag.IntVar(&o.callers, "callers", 16, "calls in flight")
	flag.IntVar(&o.connections, "connections", 4, "gRPC channels shared by the callers")
	flag.Float64Var(&o.rate, "rate", 0, "calls per second, open loop; 0: closed loop")
	flag.DurationVar(&o.warm, "warm", time.Second, "time before the window")
	flag.DurationVar(&o.window, "window", 2*time.Second, "time measured")
	flag.IntVar(&o.leastBytes, "least-bytes", 0, "a whole answer shorter than this is an error")
	flag.IntVar(&o.cancelAfter, "cancel-after", 0, "cancel a stream after this many tokens")
	flag.IntVar(&o.cancels, "cancels", 0, "make this many calls in all instead of a window")
	flag.Parse()
	return o
}

func main() {
	runtime.GOMAXPROCS(1)
	o := parse()
	body, err := os.ReadFile(o.body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	callers := dial(o, body)
	ctx, stop := context.WithCancel(context.Background())
	m := &meter{}
	var left atomic.Int64
	left.Store(int64(o.cancels))
	if o.cancels > 0 {
		m.open.Store(true)
		start(ctx, o, m, callers, &left).Wait()
	} else {
		start(ctx, o, m, callers, &left)
		time.Sleep(o.warm)
	}
	cpu, began := ownCPU(), time.Now()
	if o.cancels == 0 {
		m.open.Store(true)
		fmt.Println("begin")
		time.Sleep(o.window)
		m.open.Store(false)
		fmt.Println("end")
	}
	seconds := time.Since(began).Seconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	report, _ := json.Marshal(map[string]any{
		"seconds": seconds, "load_cpu_s": (ownCPU() - cpu).Seconds(),
		"calls": m.calls.Load(), "tokens": m.tokens.Load(), "errors": m.errs.Load(),
		"first_error": m.firstError, "latency_ms": milliseconds(m.latencies),
		"first_token_ms": milliseconds(m.firsts), "begun": m.begun.Load(),
	})
	fmt.Println(string(bytes.TrimSpace(report)))
	stop()
}
