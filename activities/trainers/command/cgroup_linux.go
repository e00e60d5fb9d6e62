package command

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// groups are the control groups (cgroup v2) that trials' programs run in, where this
// process may make some below its own: as root, or where they are delegated to it (systemd:
// Delegate=yes). A program cannot leave its group, so that all it has started is found at
// once, and the group's memory is limited and not each process's.
type groups struct {
	dir string
	// memory: the groups below dir can be limited.
	memory bool
	// home is the group that this process was in, if it had to leave it: one with
	// processes in it cannot have its groups' memory limited.
	home string
}

// groupPrefix begins the names of the groups that are made.
const groupPrefix = "tnaml-"

// ownGroup is the directory of the group that this process is in.
func ownGroup() (string, error) {
	member, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return groupDir(string(member), string(mounts))
}

// groupDir finds a group's directory: the path in /proc/self/cgroup, below where
// /proc/self/mountinfo says that the hierarchy is mounted.
func groupDir(member, mounts string) (string, error) {
	path, found := "", false
	for line := range strings.Lines(member) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path, found = p, true
		}
	}
	if !found || strings.HasPrefix(path, "/../") { // outside of the namespace
		return "", errors.New("no control groups of version 2")
	}
	for line := range strings.Lines(mounts) {
		mount, kind, ok := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if !ok || !strings.HasPrefix(kind, "cgroup2 ") || len(fields) < 5 {
			continue
		}
		if below, err := filepath.Rel(fields[3], path); err == nil && filepath.IsLocal(below) {
			return filepath.Join(fields[4], below), nil
		}
	}
	return "", fmt.Errorf("the control group %s is not mounted here", path)
}

// newGroups makes a group, for groups, of a name below this process's own. An error says
// why there are none.
func newGroups(name string) (*groups, error) {
	own, err := ownGroup()
	if err != nil {
		return nil, err
	}
	g := &groups{dir: filepath.Join(own, groupPrefix+name)}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(g.dir, "cgroup.kill")); err != nil { // Linux before 5.14
		return nil, errors.Join(err, os.Remove(g.dir))
	}
	if !slices.Contains(controllers(own, "cgroup.controllers"), "memory") {
		return g, nil
	}
	if !enabled(own) && alone(own) {
		leaf := filepath.Join(g.dir, "worker")
		if os.Mkdir(leaf, 0o755) == nil && enter(leaf) == nil {
			g.home = own
		}
		enabled(own)
	}
	g.memory = enabled(own) && enabled(g.dir)
	return g, nil
}

// controllers are those that a file of a group's lists.
func controllers(dir, file string) []string {
	b, _ := os.ReadFile(filepath.Join(dir, file)) // none where it cannot be read
	return strings.Fields(string(b))
}

// enabled says that the memory of the groups below one is accounted for, which it asks for.
func enabled(dir string) bool {
	return slices.Contains(controllers(dir, "cgroup.subtree_control"), "memory") || set(dir, "cgroup.subtree_control", "+memory") == nil
}

// alone says that nobody but this process is in a group.
func alone(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	return err == nil && string(bytes.TrimSpace(b)) == strconv.Itoa(os.Getpid())
}

// enter moves this process into a group.
func enter(dir string) error { return set(dir, "cgroup.procs", strconv.Itoa(os.Getpid())) }

func set(dir, file, value string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(value), 0)
}

// close removes the groups. What is in them is killed.
func (g *groups) close() error {
	if g == nil {
		return nil
	}
	if g.home != "" {
		// As long as memory is limited there nobody enters it.
		_ = set(g.dir, "cgroup.subtree_control", "-memory")
		if err := errors.Join(set(g.home, "cgroup.subtree_control", "-memory"), enter(g.home)); err != nil {
			return err
		}
	}
	return removeGroup(g.dir)
}

// place says where the groups are, for whoever has to remove them after this process was killed.
func (g *groups) place() string {
	if g == nil {
		return ""
	}
	return g.dir + "\n" + g.home
}

// discardGroups removes the groups of that name, in that place, which a process has left
// that was killed.
func discardGroups(place, name string) error {
	dir, home, _ := strings.Cut(place, "\n")
	if filepath.Base(dir) != groupPrefix+name {
		return nil // there were none
	}
	err := removeGroup(dir)
	if home != "" && filepath.Dir(dir) == home {
		_ = set(home, "cgroup.subtree_control", "-memory") // or nobody enters it
	}
	return err
}

// groupPatience bounds how long what was killed in a group may take to be gone.
const groupPatience = 5 * time.Second

// removeGroup kills all that is in a group, and removes it with those below it.
func removeGroup(dir string) error {
	for deadline := time.Now().Add(groupPatience); ; time.Sleep(time.Millisecond) {
		switch populated, err := populated(dir); {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case populated:
			if err := set(dir, "cgroup.kill", "1"); err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("what is in the control group %s does not end", dir)
			}
			continue
		}
		below, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range below {
			if e.IsDir() {
				err = errors.Join(err, removeGroup(filepath.Join(dir, e.Name())))
			}
		}
		return errors.Join(err, os.Remove(dir))
	}
}

// populated says that processes are in a group, or in one below it.
func populated(dir string) (bool, error) {
	n, err := counted(dir, "cgroup.events", "populated")
	return n > 0, err
}

// counted is a number of a file with names and numbers.
func counted(dir, file, name string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if key, n, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			return strconv.Atoi(n)
		}
	}
	return 0, fmt.Errorf("%s says nothing of %s", file, name)
}

// group is the group of one run of a program.
type group struct {
	dir string
	fd  *os.File
	// limited: its memory is.
	limited bool
}

// group makes one; nil where there are none.
func (g *groups) group(name string, memory int64) (*group, error) {
	if g == nil {
		return nil, nil
	}
	made := &group{dir: filepath.Join(g.dir, name)}
	if err := os.Mkdir(made.dir, 0o755); err != nil {
		return nil, err
	}
	if g.memory && memory > 0 {
		_ = set(made.dir, "memory.swap.max", "0") // there is no such file without swap
		if err := errors.Join(set(made.dir, "memory.oom.group", "1"), set(made.dir, "memory.max", strconv.FormatInt(memory, 10))); err != nil {
			return nil, errors.Join(err, os.Remove(made.dir))
		}
		made.limited = true
	}
	fd, err := os.Open(made.dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(made.dir))
	}
	made.fd = fd
	return made, nil
}

// begin has a program that is started with these attributes begin in the group.
func (g *group) begin(a *syscall.SysProcAttr) {
	if g != nil {
		a.UseCgroupFD, a.CgroupFD = true, int(g.fd.Fd())
	}
}

// kill kills all that is in the group.
func (g *group) kill() {
	if g != nil {
		_ = set(g.dir, "cgroup.kill", "1")
	}
}

// end removes the group, with all that is in it, and says whether it was out of memory.
func (g *group) end() (outOfMemory bool, err error) {
	if g == nil {
		return false, nil
	}
	if g.limited {
		// The machine's own want of memory kills too, but only at the group's limit is it "oom".
		limit, _ := counted(g.dir, "memory.events", "oom")
		killed, _ := counted(g.dir, "memory.events", "oom_kill")
		outOfMemory = limit > 0 && killed > 0
	}
	return outOfMemory, errors.Join(removeGroup(g.dir), g.fd.Close())
}
