// A second opinion on histories of `npm run chaos` (docs/TESTING.md, "Histories"), by a checker of somebody else's:
// Porcupine, https://github.com/anishathalye/porcupine.
//
//	cd chaos/porcupine && go run . HISTORY...
//
// The model of one key is written again here, from the documentation and not from sim/linearizability.ts: absent, or a value with a
// revision; a revision is larger than every earlier one of its key. What an operation of unknown outcome leaves behind is a state whose revision
// nobody has seen yet. Such an operation may take effect at any time after its invocation, so it returns at the end of the history.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	lineBytesMax   = 4 << 20
	timeoutPerFile = 5 * time.Minute
	// The revision of a write whose answer nobody has.
	unseen = -1
)

var expires = regexp.MustCompile(`^t[0-9]+$`)

type call struct {
	Kind       string `json:"kind"`
	Value      string `json:"value"`
	IfRevision int64  `json:"ifRevision"`
	Amount     int64  `json:"amount"`
}

type outcome struct {
	Kind     string  `json:"kind"`
	Status   string  `json:"status"`
	Revision int64   `json:"revision"`
	Value    *string `json:"value"`
}

type line struct {
	Event       string  `json:"event"`
	Format      string  `json:"format"`
	At          float64 `json:"at"`
	Op          int     `json:"op"`
	Client      int     `json:"client"`
	Key         string  `json:"key"`
	Call        call    `json:"call"`
	Consistency string  `json:"consistency"`
	Outcome     outcome `json:"outcome"`
}

// A key between two operations.
type state struct {
	exists   bool
	value    string
	revision int64
	// Every later revision is larger. While the key's is unseen: the least that it can be.
	floor int64
}

func (s state) mayHave(revision int64) bool {
	if !s.exists {
		return revision == 0
	}
	if s.revision == unseen {
		return revision >= s.floor
	}
	return s.revision == revision
}

func (s state) write(value string, revision int64) (bool, state) {
	if revision <= s.floor {
		return false, s
	}
	return true, state{exists: true, value: value, revision: revision, floor: revision}
}

func (s state) writeUnseen(value string) state {
	return state{exists: true, value: value, revision: unseen, floor: s.floor + 1}
}

func (s state) seen(revision int64) state {
	if s.exists {
		s.revision = revision
		s.floor = revision
	}
	return s
}

func (s state) plus(amount int64) (string, bool) {
	if !s.exists {
		return strconv.FormatInt(amount, 10), true
	}
	number, err := strconv.ParseInt(s.value, 10, 64)
	return strconv.FormatInt(number+amount, 10), err == nil
}

func step(before state, c call, o outcome) (bool, state) {
	if o.Kind != "answered" {
		return true, stepUnknown(before, c)
	}
	if o.Status == "CONFLICT" {
		return o.Revision != c.IfRevision && before.mayHave(o.Revision), before.seen(o.Revision)
	}
	if o.Status == "NOT_FOUND" {
		return !before.exists, before
	}
	if o.Status == "INVALID" {
		_, isNumber := before.plus(c.Amount)
		return c.Kind == "incr" && !isNumber, before
	}
	switch c.Kind {
	case "get":
		isRight := before.exists && o.Value != nil && *o.Value == before.value && before.mayHave(o.Revision)
		return isRight, before.seen(o.Revision)
	case "put":
		return before.write(c.Value, o.Revision)
	case "cas":
		if !before.mayHave(c.IfRevision) {
			return false, before
		}
		return before.seen(c.IfRevision).write(c.Value, o.Revision)
	case "del":
		return before.exists && o.Revision > before.floor, state{floor: o.Revision}
	case "incr":
		sum, isNumber := before.plus(c.Amount)
		if !isNumber || o.Value == nil || *o.Value != sum {
			return false, before
		}
		return before.write(sum, o.Revision)
	}
	panic("no such call: " + c.Kind)
}

func stepUnknown(before state, c call) state {
	switch c.Kind {
	case "put":
		return before.writeUnseen(c.Value)
	case "cas":
		if before.mayHave(c.IfRevision) {
			return before.seen(c.IfRevision).writeUnseen(c.Value)
		}
	case "del":
		if before.exists {
			return state{floor: before.floor + 1}
		}
	case "incr":
		if sum, isNumber := before.plus(c.Amount); isNumber {
			return before.writeUnseen(sum)
		}
	}
	return before
}

var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(line).Key
			byKey[key] = append(byKey[key], operation)
		}
		var parts [][]porcupine.Operation
		for _, part := range byKey {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() interface{} { return state{} },
	Step: func(before, input, output interface{}) (bool, interface{}) {
		isRight, after := step(before.(state), input.(line).Call, output.(outcome))
		return isRight, after
	},
}

func main() {
	failed := 0
	for _, path := range os.Args[1:] {
		history, err := read(path)
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed++
			continue
		}
		started := time.Now()
		result := porcupine.CheckOperationsTimeout(model, history, timeoutPerFile)
		fmt.Printf("%s: %d operations, %s, %.1f s\n", path, len(history), result, time.Since(started).Seconds())
		if result != porcupine.Ok {
			failed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(os.Args)-1-failed, failed)
	if failed > 0 || len(os.Args) == 1 {
		os.Exit(1)
	}
}

// Without what can say nothing: failures that are certain, reads without an answer, stale reads, keys that expire (which no client does).
func read(path string) ([]porcupine.Operation, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, lineBytesMax)
	invoked := []line{}
	completed := map[int]line{}
	end := 0.0
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, err
		}
		end = max(end, l.At)
		switch l.Event {
		case "begin":
			if l.Format != "shardkv-history/1" {
				return nil, fmt.Errorf("format %s", l.Format)
			}
		case "invoke":
			invoked = append(invoked, l)
		case "complete":
			completed[l.Op] = l
		}
	}
	return operationsOf(invoked, completed, end), lines.Err()
}

func operationsOf(invoked []line, completed map[int]line, end float64) []porcupine.Operation {
	history := []porcupine.Operation{}
	for _, l := range invoked {
		completion, isComplete := completed[l.Op]
		isUnknown := !isComplete || completion.Outcome.Kind == "unknown"
		isFailed := isComplete && completion.Outcome.Kind == "failed"
		if isFailed || expires.MatchString(l.Key) || l.Consistency == "stale" || (isUnknown && l.Call.Kind == "get") {
			continue
		}
		returnedAt := completion.At
		if isUnknown {
			returnedAt = end + 1
		}
		history = append(history, porcupine.Operation{
			ClientId: l.Client + 1, Input: l, Output: completion.Outcome,
			Call: micros(l.At), Return: micros(returnedAt),
		})
	}
	return history
}

func micros(ms float64) int64 { return int64(ms * 1000) }
