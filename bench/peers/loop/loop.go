// Package loop is the closed loop that every peer is measured with: so many operations in flight, 16-byte keys, values of one size.
//
// Each operation in flight has a goroutine; the connections are shared among them, as the peers' own benchmark tools do. What starts
// before the warm-up has ended is not counted. The figures are one line of JSON on standard output, with the names that
// bench/load/measurement.ts gives them.
package loop

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const operationTimeout = 10 * time.Second

// Peer is one connection to a peer.
type Peer interface {
	Put(ctx context.Context, key string, value []byte) error
	Get(ctx context.Context, key string) error
}

// Connect opens so many connections. isFirst says that nothing has been stored yet.
type Connect func(servers []string, connections int, isFirst bool) ([]Peer, error)

type figures struct {
	PerSecond float64 `json:"perSecond"`
	P50Ms     float64 `json:"p50Ms"`
	P99Ms     float64 `json:"p99Ms"`
	P999Ms    float64 `json:"p999Ms"`
	MaxMs     float64 `json:"maxMs"`
	Done      int     `json:"done"`
	// The warm-up included.
	DoneInAll int64 `json:"doneInAll"`
	// Nobody but ShardKV says so.
	Overloaded  int     `json:"overloaded"`
	Failed      int64   `json:"failed"`
	ClientCPUUs float64 `json:"clientCpuUs"`
}

var (
	servers     = flag.String("servers", "", "addresses, separated by commas")
	op          = flag.String("op", "put", "put, get, or fill (every key once)")
	inFlight    = flag.Int("inflight", 64, "operations in flight")
	connections = flag.Int("connections", 8, "client connections; never more than operations in flight")
	keys        = flag.Int("keys", 100_000, "different keys")
	valueBytes  = flag.Int("value-bytes", 128, "size of a value")
	warmUpMs    = flag.Int("warm-up-ms", 1_500, "not counted")
	durationMs  = flag.Int("duration-ms", 3_000, "counted")
)

// Main is the whole program.
func Main(connect Connect) {
	flag.Parse()
	peers, err := connect(strings.Split(*servers, ","), min(*connections, *inFlight), *op == "fill")
	if err != nil {
		fail(err)
	}
	var result figures
	if *op == "fill" {
		fill(peers)
	} else {
		result = measure(peers)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func keyName(n int) string {
	return fmt.Sprintf("key-%012d", n)
}

func newValue() []byte {
	return []byte(strings.Repeat("x", *valueBytes))
}

func perform(peer Peer, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), operationTimeout)
	defer cancel()
	if *op == "get" {
		return peer.Get(ctx, key)
	}
	return peer.Put(ctx, key, value)
}

func fill(peers []Peer) {
	value := newValue()
	var next atomic.Int64
	var group sync.WaitGroup
	for i := range *inFlight {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < *keys; n = int(next.Add(1)) - 1 {
				if err := perform(peers[i%len(peers)], keyName(n), value); err != nil {
					fail(err)
				}
			}
		})
	}
	group.Wait()
}

func measure(peers []Peer) figures {
	value := newValue()
	countsFrom := time.Now().Add(time.Duration(*warmUpMs) * time.Millisecond)
	endsAt := countsFrom.Add(time.Duration(*durationMs) * time.Millisecond)
	var cpuBefore atomic.Int64
	time.AfterFunc(time.Until(countsFrom), func() { cpuBefore.Store(cpuMicroseconds()) })
	var warmedUp, failed atomic.Int64
	var group sync.WaitGroup
	latencies := make([][]time.Duration, *inFlight)
	for i := range *inFlight {
		group.Go(func() {
			for {
				startedAt := time.Now()
				err := perform(peers[i%len(peers)], keyName(rand.IntN(*keys)), value)
				now := time.Now()
				switch {
				case now.After(endsAt):
					return
				case err != nil:
					failed.Add(1)
				case now.Before(countsFrom):
					warmedUp.Add(1)
				default:
					latencies[i] = append(latencies[i], now.Sub(startedAt))
				}
			}
		})
	}
	group.Wait()
	result := summarize(slices.Concat(latencies...))
	result.DoneInAll = int64(result.Done) + warmedUp.Load()
	result.Failed = failed.Load()
	result.ClientCPUUs = float64(cpuMicroseconds()-cpuBefore.Load()) / float64(max(1, result.Done))
	return result
}

func summarize(latencies []time.Duration) figures {
	slices.Sort(latencies)
	at := func(share float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[min(len(latencies)-1, int(share*float64(len(latencies))))].Microseconds()) / 1_000
	}
	return figures{
		PerSecond: float64(len(latencies)) / (float64(*durationMs) / 1_000),
		P50Ms:     at(0.5),
		P99Ms:     at(0.99),
		P999Ms:    at(0.999),
		MaxMs:     at(1),
		Done:      len(latencies),
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
