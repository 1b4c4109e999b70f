// The etcd server, as a program of this module: the released module can not be `go install`ed by itself, since it has replace directives.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
