package serve

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// background keeps the goroutine that calls it to a thread of its own, which has the processor when
// nobody else wants it. The thread ends with the goroutine.
func background() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 19) // Linux: of this thread alone
}
