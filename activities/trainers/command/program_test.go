package command

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tnaml/experiments/trainer"
)

// The tests' program is this test's own binary, told so by its environment.
func TestMain(m *testing.M) {
	if mode := os.Getenv("PROGRAM"); mode != "" {
		os.Exit(programs[mode]())
	}
	os.Exit(m.Run())
}

func say(format string, a ...any) { fmt.Printf(format+"\n", a...) }

func request() (r trainer.Request) {
	b, err := os.ReadFile(os.Getenv("TNAML_REQUEST"))
	if err != nil || json.Unmarshal(b, &r) != nil {
		panic(fmt.Sprint("no request: ", err))
	}
	return r
}

func write(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		panic(err)
	}
}

func secrets() string {
	return os.ExpandEnv("cannot reach $DB_URL with $TOKEN ($LONG) at $PORT")
}

const good = `{"status":"ok","metrics":{"validation":0.5}}`

// programs are what a trial's program may be like.
var programs = map[string]func() int{
	// good keeps the contract, with a model.
	"good": func() int {
		r := request()
		depth, ok := r.Choices["depth"].(float64)
		loss, known := r.Choices["loss"].(string)
		if !ok || !known || len(r.Choices) != 2 || !slices.Contains([]float64{2, 4}, depth) || !slices.Contains([]string{"a", "b"}, loss) {
			fmt.Fprintln(os.Stderr, "choices that are none:", r.Choices)
			return 1
		}
		for step := range 3 {
			say(`{"step":%d,"steps":3,"metrics":{"loss":%v}}`, step+1, 1/float64(step+1))
			time.Sleep(5 * time.Millisecond)
		}
		g := rand.New(rand.NewPCG(r.Seed, 0))
		value := g.Float64() * depth
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "weights"), fmt.Sprint(value))
		say(`{"status":"ok","metrics":{"validation":%v,"test":%v},"steps":3}`, value, value/2)
		return 0
	},
	// environment says what it is given.
	"environment": func() int {
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "environment"), strings.Join(os.Environ(), "\n"))
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "arguments"), strings.Join(os.Args[1:], "\n"))
		dir, _ := os.Getwd()
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "directory"), dir)
		if data := os.Getenv("TNAML_DATA"); data != "" {
			b, _ := os.ReadFile(filepath.Join(data, "validation.jsonl"))
			write(filepath.Join(os.Getenv("TNAML_MODEL"), "validation.jsonl"), string(b))
		}
		write(os.Getenv("TNAML_OUTCOME"), good)
		return 0
	},
	// resume takes ten steps, keeps what it has, and waits after the fifth unless it was resumed.
	"resume": func() int {
		file := filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "step")
		first := 0
		if b, err := os.ReadFile(file); err == nil {
			_, _ = fmt.Sscan(string(b), &first)
			fmt.Fprintln(os.Stderr, "resumed at", first)
		}
		for step := first + 1; step <= 10; step++ {
			write(file+".tmp", fmt.Sprint(step))
			if os.Rename(file+".tmp", file) != nil {
				return 1
			}
			time.Sleep(110 * time.Millisecond)
			say(`{"step":%d}`, step)
			if step == 5 && first == 0 {
				time.Sleep(time.Hour)
			}
		}
		say(`{"status":"ok","metrics":{"validation":0.5,"resumed":%d},"steps":10}`, first)
		return 0
	},
	// outlives tells its last when its checkpoint is yet to be stored.
	"outlives": func() int {
		write(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "state"), "1")
		for step, v := range []float64{.5, .6, .7, .9} {
			time.Sleep(120 * time.Millisecond)
			say("epoch=%d validation=%v", step+1, v)
		}
		return 0
	},
	"fails at its end": func() int {
		say(`{"step":1}`)
		say(`{"step":2}`)
		say(`{"status":"diverged"}`)
		return 1
	},
	"files its outcome": func() int {
		write(os.Getenv("TNAML_OUTCOME"), `{"status":"ok","metrics":{"validation":0.5},"steps":7}`)
		say(`{"step":1}`)
		say(`{"step":2}`)
		say(`{"step":3}`)
		return 0
	},
	// saves and hangs, and ends on SIGTERM with a last checkpoint; resumed it ends at once.
	"saves and hangs": func() int {
		if b, err := os.ReadFile(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "last")); err == nil {
			say(`{"status":"ok","metrics":{"validation":%s}}`, b)
			return 0
		}
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		write(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "state"), "1")
		for step := 1; ; step++ {
			say(`{"step":%d}`, step)
			select {
			case <-c:
				write(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "last"), "0.75")
				write(filepath.Join(os.Getenv("TNAML_DIRECTORY"), "..", "ended"), "")
				return 0
			case <-time.After(120 * time.Millisecond):
			}
		}
	},
	"curve": func() int {
		for step := range 5 {
			say(`{"step":%d,"steps":5,"metrics":{"validation":%v}}`, step+1, float64(step)/10)
			time.Sleep(30 * time.Millisecond)
		}
		say(good)
		return 0
	},
	"epochs": func() int {
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "weights"), "1")
		say(`{"step":5,"steps":10,"metrics":{"validation":0.4}}`)
		say(`{"step":10,"steps":10,"metrics":{"validation":0.5}}`)
		say(`{"status":"ok","metrics":{"validation":0.5},"steps":1600}`)
		return 0
	},
	"tells":         func() int { fmt.Fprintln(os.Stderr, secrets()); return 1 },
	"tells as JSON": func() int { say(`{"status":"failed","reason":%q}`, secrets()); return 0 },
	"tells lines": func() int {
		b, _ := json.Marshal("it wants " + os.Getenv("KEY") + " and " + strings.TrimSpace(os.Getenv("FILE")))
		say(`{"status":"failed","reason":%s}`, b)
		return 0
	},
	"tells nonsense": func() int { say(`%s%s"}`, nonsense, strings.TrimSpace(os.Getenv("FILE"))); return 0 },
	"tells too much": func() int { // its end begins within a value
		fmt.Fprint(os.Stderr, secrets(), os.Getenv("DB_URL"), strings.Repeat("x", maxTail-9))
		return 1
	},
	"large checkpoint": func() int {
		all := filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "all") // whole or not at all, as a checkpoint should be
		write(all+".tmp", strings.Repeat("x", 2<<20))
		if err := os.Rename(all+".tmp", all); err != nil {
			return 1
		}
		time.Sleep(120 * time.Millisecond)
		say(`{"step":1}`)
		say(good)
		return 0
	},
	"nothing": func() int { return 0 },
	"fails": func() int {
		fmt.Fprintf(os.Stderr, "Traceback\nValueError: no luck in %s\xff\n", os.Getenv("TNAML_DIRECTORY"))
		return 3
	},
	"refuses": func() int { say(`{"status":"failed","reason":"these do not go together"}`); return 1 },
	"lies":    func() int { say(good); return 1 },
	"gigabyte": func() int {
		line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
		for range 1 << 10 {
			_, _ = os.Stdout.Write(line)
		}
		say(good)
		return 0
	},
	"gigabyte to stderr": func() int {
		line := []byte(strings.Repeat("x", 1<<20-1) + "\n")
		for range 1 << 10 {
			_, _ = os.Stderr.Write(line)
		}
		return 1
	},
	"long line": func() int { say(`{"status":"ok","reason":"%s"}`, strings.Repeat("x", 1<<20)); return 0 },
	"unread": func() int {
		say(`{"step":1,"steps":9,"metrics":{"validation":"high"}} of ` + os.Getenv("TNAML_DIRECTORY"))
		say(`{"step":5,"steps":9,"metrics":{"validation":0.1}}`)
		say(`{"step":1,"steps":9,"metrics":{"validation":0.9}}`)
		return 0
	},
	"nan":         func() int { say(`{"status":"ok","metrics":{"validation":NaN}}`); return 0 },
	"null":        func() int { say(`{"status":"ok","metrics":{"validation":null}}`); return 0 },
	"text nan":    func() int { say("validation=nan"); return 0 },
	"text":        func() int { say("epoch=1 validation=0.25 lr=1e-3\nepoch=2: validation = 5E-1, test=.75"); return 0 },
	"invalid":     func() int { say("\xff\xfe=\xff validation=0.5 \xc3("); return 0 },
	"invalid too": func() int { say("{\"status\":\"failed\",\"reason\":\"\xff\xfe\"}"); return 0 },
	"disagrees": func() int {
		write(os.Getenv("TNAML_OUTCOME"), `{"status":"ok","metrics":{"validation":0.6}}`)
		say(good)
		return 0
	},
	"agrees": func() int { write(os.Getenv("TNAML_OUTCOME"), " "+good+"\n"); say(good); return 0 },
	"link as outcome": func() int {
		_ = os.Symlink("/etc/hostname", os.Getenv("TNAML_OUTCOME"))
		return 0
	},
	"pipe as outcome": func() int { _ = exec.Command("mkfifo", os.Getenv("TNAML_OUTCOME")).Run(); return 0 },
	"large outcome":   func() int { write(os.Getenv("TNAML_OUTCOME"), strings.Repeat(" ", 2<<20)); return 0 },
	"link as model": func() int {
		_ = os.Symlink("/etc/passwd", filepath.Join(os.Getenv("TNAML_MODEL"), "weights"))
		say(good)
		return 0
	},
	"directory as reason": func() int {
		say(`{"status":"failed","reason":"no file %s/x"}`, os.Getenv("TNAML_DIRECTORY"))
		return 0
	},
	"directory as nonsense": func() int { write(os.Getenv("TNAML_OUTCOME"), os.Getenv("TNAML_DIRECTORY")+"/x"); return 0 },
	"model is a link": func() int {
		_ = os.Remove(os.Getenv("TNAML_MODEL"))
		_ = os.Symlink("/etc", os.Getenv("TNAML_MODEL"))
		say(good)
		return 0
	},
	"model is a file": func() int {
		_ = os.Remove(os.Getenv("TNAML_MODEL"))
		write(os.Getenv("TNAML_MODEL"), "weights")
		say(good)
		return 0
	},
	"model is gone":     func() int { _ = os.Remove(os.Getenv("TNAML_MODEL")); say(good); return 0 },
	"directory is gone": func() int { _ = os.RemoveAll(os.Getenv("TNAML_DIRECTORY")); say(good); return 0 },
	"socket in model": func() int {
		_ = os.Chdir(os.Getenv("TNAML_MODEL"))
		_, _ = net.Listen("unix", strings.Repeat("s", 100))
		say(good)
		return 0
	},
	"deep model": func() int {
		_ = os.Chdir(os.Getenv("TNAML_MODEL"))
		for range 40 {
			_ = os.Mkdir(strings.Repeat("d", 200), 0o700)
			_ = os.Chdir(strings.Repeat("d", 200))
		}
		say(good)
		return 0
	},
	"odd names": func() int {
		for _, name := range []string{"a\nb", "..c", "\xff", strings.Repeat("n", 255), "-", "c:\\d", "\r\x1b[2J"} {
			write(filepath.Join(os.Getenv("TNAML_MODEL"), name), name)
		}
		say(good)
		return 0
	},
	"closes its output": func() int {
		say(good)
		_, _ = os.Stdout.Close(), os.Stderr.Close()
		time.Sleep(200 * time.Millisecond)
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "late"), "late")
		return 0
	},
	"large model": func() int {
		write(filepath.Join(os.Getenv("TNAML_MODEL"), "weights"), strings.Repeat("x", 2<<20))
		say(good)
		return 0
	},
	// forks leaves a process behind that holds its output, and hangs.
	"forks": func() int { start("hangs"); say(good); return 0 },
	"forks and hangs": func() int {
		start("hangs")
		time.Sleep(time.Hour)
		return 0
	},
	// leaves its group, and that one's parent is gone when the trial ends.
	"escapes":           func() int { escape("escapes again"); say(good); return 0 },
	"escapes again":     func() int { escape("hangs"); return 0 },
	"escapes and hangs": func() int { escape("hangs"); say(`{"step":1}`); time.Sleep(time.Hour); return 0 },
	"hangs": func() int {
		say(`{"step":1}`)
		time.Sleep(time.Hour)
		return 0
	},
	"ignores SIGTERM": func() int {
		signal.Ignore(syscall.SIGTERM)
		say(`{"step":1}`)
		time.Sleep(time.Hour)
		return 0
	},
	// ends on SIGTERM with a last checkpoint.
	"drains": func() int {
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		if b, err := os.ReadFile(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "last")); err == nil {
			say(`{"status":"ok","metrics":{"validation":%s}}`, b)
			return 0
		}
		say(`{"step":1}`)
		<-c
		write(filepath.Join(os.Getenv("TNAML_CHECKPOINT"), "last"), "0.75")
		return 0
	},
	"killed":   func() int { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); time.Sleep(time.Hour); return 0 },
	"segfault": func() int { _ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -SEGV $$"}, nil); return 0 },
	"steps": func() int {
		for step := range 1000 {
			say(`{"step":%d}`, step+1)
			time.Sleep(time.Millisecond)
		}
		say(good)
		return 0
	},
	"memory": func() int {
		n := allocate()
		say(good)
		return n >> 20
	},
	// memory of two: a child takes as much while its own is held.
	"memory of two": func() int {
		n := allocate()
		start("memory")
		var wait syscall.WaitStatus
		if _, err := syscall.Wait4(-1, &wait, 0, nil); err != nil || wait != 0 {
			return 3
		}
		say(good)
		return n >> 20
	},
	"modes": func() int {
		dir := filepath.Join(os.Getenv("TNAML_DIRECTORY"), "tmp", "shut")
		write(filepath.Join(os.Getenv("TNAML_DIRECTORY"), "tmp", "f"), "")
		_ = os.MkdirAll(filepath.Join(dir, "in"), 0o700)
		_ = os.Chmod(dir, 0)
		say(good)
		return 0
	},
}

var held [][]byte

// allocate takes 384 MB, and says how many.
func allocate() int {
	for range 384 {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	return len(held)
}

func start(mode string) { startAs(mode, nil) }

// escape starts itself in a session of its own, and waits until that one has started what it does.
func escape(mode string) {
	startAs(mode, &syscall.SysProcAttr{Setsid: true})
	time.Sleep(300 * time.Millisecond)
}

func startAs(mode string, as *syscall.SysProcAttr) {
	c := exec.Command(os.Args[0])
	c.SysProcAttr = as
	c.Env = append(os.Environ(), "PROGRAM="+mode)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		panic(err)
	}
	write(filepath.Join(os.Getenv("TNAML_DIRECTORY"), "..", "child"), fmt.Sprint(c.Process.Pid))
}
