package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tnaml/experiments/trainer"
)

// A group is found where its hierarchy is mounted, alone or beside the first version's, in
// a namespace and where only a part is mounted.
func TestGroupDir(t *testing.T) {
	const mount = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	for _, tt := range []struct{ member, mounts, want string }{
		{"0::/system.slice/tnaml.service\n", mount, "/sys/fs/cgroup/system.slice/tnaml.service"},
		{"0::/\n", mount, "/sys/fs/cgroup"},
		{"4:memory:/a\n0::/b\n", "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
			"32 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified/b"},
		{"0::/docker/abc/x\n", "35 24 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "/sys/fs/cgroup/x"},
		{"0::/../other\n", mount, ""}, // outside the namespace
		{"4:memory:/a\n", mount, ""},
		{"0::/a\n", "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", ""},
		{"", "", ""},
	} {
		if got, err := groupDir(tt.member, tt.mounts); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v; want %q", tt.member, got, err, tt.want)
		}
	}
}

func grouped(t *testing.T) *groups {
	t.Helper()
	g, err := newGroups("test-" + strings.ToLower(filepath.Base(t.TempDir())) + strings.ReplaceAll(t.Name(), "/", "-"))
	if err != nil {
		t.Skip("no control groups may be made here: ", err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(g.dir); err == nil {
			t.Errorf("%s stays", g.dir)
		}
	})
	return g
}

// What is in a group ends with it, also in a group below and what has left its session.
func TestGroupsEnd(t *testing.T) {
	g := grouped(t)
	made, err := g.group("trial", 0)
	if err != nil {
		t.Fatal(err)
	}
	below := made.dir + "/below"
	c := exec.Command("sh", "-c", "setsid sleep 600 & mkdir "+below+"; sleep 600 & echo $! > "+below+"/cgroup.procs; echo; wait")
	c.SysProcAttr = attributes()
	made.begin(c.SysProcAttr)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if in, err := populated(made.dir); err != nil || !in {
		t.Errorf("%v, %v", in, err)
	}
	if _, err := made.end(); err != nil {
		t.Error(err)
	}
	if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
	if _, err := os.Stat(made.dir); !os.IsNotExist(err) {
		t.Error(err)
	}
}

// A program's processes share the limit of their group: one alone would keep to it.
func TestGroupMemory(t *testing.T) {
	f := program(t, "memory of two", nil)
	if f.work.groups == nil || !f.work.groups.memory {
		t.Skip("no control group's memory can be limited here: wants the memory controller of cgroup v2, and root or Delegate=yes")
	}
	r := asked()
	r.Limits = trainer.Limits{MemoryBytes: 600 << 20}
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OverMemory ||
		!strings.Contains(o.Reason, "limit of 600 MB for all its processes") {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
	r.Limits.MemoryBytes = 4 << 30
	if o, err := f.Run(t.Context(), r, quiet); err != nil || o.Status != trainer.OK {
		t.Errorf("%+v, %v", o.Outcome, err)
	}
}
