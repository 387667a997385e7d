// Command pulumi-resource-banksman is a Pulumi provider for things that any machine can make for real: PostgreSQL
// databases and roles, files, and web services on the embedded environment's platform. It implements check, diff, read, create, update and delete, so that a refresh sees
// what somebody changed by hand.
//
// It is told nothing by the program or by the stack's configuration. Where PostgreSQL is, and who it is there, come
// from libpq's own variables (PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSSLMODE) in the engine; files are made in the
// folder that LOCAL_FILES names, and nowhere else. Where the platform is, and by which token it is asked, come from
// PLATFORM_HOST, PLATFORM_PORT, PLATFORM_TOKEN and, for people's browsers, PLATFORM_URL.
package main

import (
	"fmt"
	"net"
	"os"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// version is stamped by the build.
var version = "0.1.0"

const biggestMessage = 16 << 20 // bytes; a file's content travels in one message

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-banksman: %v\n", err)
		os.Exit(1)
	}
}

// serve answers the engine on a port of its own, which it prints as the protocol wants, until it is ended.
func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("no port to listen on: %w", err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(biggestMessage))
	pulumirpc.RegisterResourceProviderServer(server, &provider{kinds: allKinds()})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

func allKinds() map[string]kind {
	return map[string]kind{
		"banksman:postgres:Database": database{},
		"banksman:postgres:Role":     role{},
		"banksman:files:File":        file{},
		"banksman:platform:Service":  service{},
	}
}
