// Measures etcd through its own Go client. Gets are linearizable, which is the client's default.
package main

import (
	"context"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"shardkvpeers/loop"
)

type peer struct {
	client *clientv3.Client
}

func (p peer) Put(ctx context.Context, key string, value []byte) error {
	_, err := p.client.Put(ctx, key, string(value))
	return err
}

func (p peer) Get(ctx context.Context, key string) error {
	_, err := p.client.Get(ctx, key)
	return err
}

// Each connection has one member as its endpoint, so that the members share the clients.
func connect(members []string, connections int, _ bool) ([]loop.Peer, error) {
	peers := make([]loop.Peer, connections)
	for i := range peers {
		endpoint := members[i%len(members)]
		client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: 5 * time.Second})
		if err != nil {
			return nil, err
		}
		peers[i] = peer{client}
	}
	return peers, nil
}

func main() {
	loop.Main(connect)
}
