// Measures a JetStream KV bucket with three replicas through nats.go. Gets are what the bucket API does by default: direct gets, which
// any replica may answer.
package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"shardkvpeers/loop"
)

const (
	bucket          = "bench"
	bucketWithin    = 30 * time.Second
	requestTimeout  = 5 * time.Second
	betweenAttempts = 200 * time.Millisecond
	replicas        = 3
)

type peer struct {
	kv jetstream.KeyValue
}

func (p peer) Put(ctx context.Context, key string, value []byte) error {
	_, err := p.kv.Put(ctx, key, value)
	return err
}

func (p peer) Get(ctx context.Context, key string) error {
	_, err := p.kv.Get(ctx, key)
	return err
}

func connect(servers []string, connections int, isFirst bool) ([]loop.Peer, error) {
	peers := make([]loop.Peer, connections)
	for i := range peers {
		connection, err := nats.Connect(servers[i%len(servers)])
		if err != nil {
			return nil, err
		}
		stream, err := jetstream.New(connection)
		if err != nil {
			return nil, err
		}
		kv, err := open(stream, isFirst && i == 0)
		if err != nil {
			return nil, err
		}
		peers[i] = peer{kv}
	}
	return peers, nil
}

// The servers may still be electing, or have yet to hear of the bucket: tried until they take it.
func open(stream jetstream.JetStream, isNew bool) (jetstream.KeyValue, error) {
	deadline := time.Now().Add(bucketWithin)
	for {
		kv, err := attempt(stream, isNew)
		if err == nil || time.Now().After(deadline) {
			return kv, err
		}
		time.Sleep(betweenAttempts)
	}
}

func attempt(stream jetstream.JetStream, isNew bool) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if isNew {
		return stream.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: bucket, Replicas: replicas, Storage: jetstream.FileStorage})
	}
	return stream.KeyValue(ctx, bucket)
}

func main() {
	loop.Main(connect)
}
