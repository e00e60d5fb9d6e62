package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

const namespace = "default"

// retention is how long finished workflows can be seen and started again.
const retention = 10 * 365 * 24 * time.Hour

// searchAttributes are tnaml's, those of package workflows: registered with the
// namespace when it is made, so that they can be used from the first moment.
func searchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		"TnamlExperiment": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"TnamlTasks":      enumspb.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		"TnamlStrategy":   enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"TnamlStatus":     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		"TnamlSeed":       enumspb.INDEXED_VALUE_TYPE_INT,
		"TnamlTrials":     enumspb.INDEXED_VALUE_TYPE_INT,
		"TnamlBest":       enumspb.INDEXED_VALUE_TYPE_DOUBLE,
	}
}

// dynamic is what differs from the server's defaults. The transfer queue's
// poll rate of 20 a second would hold back a loop of short activities, and partitions
// of a task queue, which spread it over many servers, forward to each other on one.
func dynamic() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():             1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():           1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():                1000,
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():            8192,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
		dynamicconfig.EnableServerVersionCheck.Key():                false,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():      1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key():     1,
	}
}

func sqlConfig(file string) *config.SQL {
	return &config.SQL{
		// It becomes part of a URI: a directory may hold ?, # and %.
		PluginName: sqlite.PluginName, DatabaseName: (&url.URL{Path: file}).EscapedPath(),
		ConnectAttributes: map[string]string{
			"mode": "rwc", "cache": "private",
			// WAL with synchronous=1 survives a crash of the process, and costs one
			// write where the default costs several.
			"journal_mode": "wal", "synchronous": "1",
		},
		MaxConns: 1, MaxIdleConns: 1, MaxConnLifetime: time.Hour,
	}
}

// prepareDatabase makes the database file, whole or not at all.
func prepareDatabase(dir string) (string, error) {
	file := filepath.Join(dir, "temporal.db")
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	tmp := file + ".new"
	_ = os.Remove(tmp) // of a start that was cut off
	c := sqlConfig(tmp)
	c.ConnectAttributes["journal_mode"] = "delete" // one file to rename
	if err := schema.SetupSchema(c); err != nil {
		return "", fmt.Errorf("making %s: %w", file, err)
	}
	ns, err := schema.NewNamespaceConfig("active", namespace, false, searchAttributes())
	if err != nil {
		return "", err
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	if err := schema.CreateNamespaces(c, ns); err != nil {
		return "", fmt.Errorf("making %s: %w", file, err)
	}
	return file, os.Rename(tmp, file)
}

func startTemporal(dir string, p *ports, logName string) (temporal.Server, error) {
	file, err := prepareDatabase(dir)
	if err != nil {
		return nil, err
	}
	// Without an HTTP port: its API takes posts from any page, under any name.
	service := func(port int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: "127.0.0.1"}}
	}
	const store = "sqlite"
	cfg := &config.Config{
		Global: config.Global{Metrics: &metrics.Config{}},
		Persistence: config.Persistence{
			DefaultStore: store, VisibilityStore: store, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{store: {SQL: sqlConfig(file)}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: "active", CurrentClusterName: "active",
			ClusterInformation: map[string]cluster.ClusterInformation{
				"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: loopback(p.frontend)},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(p.frontend),
			string(primitives.HistoryService):  service(p.history),
			string(primitives.MatchingService): service(p.matching),
			string(primitives.WorkerService):   service(p.worker),
		},
		Archival: config.Archival{History: config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"}},
		PublicClient: config.PublicClient{HostPort: loopback(p.frontend)},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(loopback(p.frontend)),
			primitives.HistoryService:  static.SingleLocalHost(loopback(p.history)),
			primitives.MatchingService: static.SingleLocalHost(loopback(p.matching)),
			primitives.WorkerService:   static.SingleLocalHost(loopback(p.worker)),
		}),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Level: "warn", OutputFile: logName}))),
		temporal.WithDynamicConfigClient(dynamic()),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
	)
	if err != nil {
		return nil, err
	}
	return server, server.Start()
}
