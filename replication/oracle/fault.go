package oracle

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/ashlar-go/ashlar/replication"
)

// Codes of ORA- errors that this package branches on.
const (
	errBusy          = 54    // resource busy and acquire with NOWAIT
	errSerialize     = 8177  // can't serialize access for this transaction
	errBusyTimeout   = 30006 // resource busy; acquire with WAIT timeout
	errCannotShrink  = 10635 // invalid segment or tablespace type
	errNoRowMovement = 10636 // ROW MOVEMENT is not enabled
	errNoParameter   = 2003  // invalid USERENV parameter
	errNoColumn      = 904   // invalid identifier
	errNoPrivilege   = 1031  // insufficient privileges
)

var faults = map[replication.Fault][]int{
	replication.Transient: {
		18, 20, // maximum number of sessions, of processes
		28, 31, 1012, 1013, 2396, // session killed, not logged on, cancelled, idle
		51, 54, 60, 104, 4020, 4021, 30006, 14452, // locks, deadlocks
		1033, 1034, 1089, 1090, 1092, 1109, // starting, stopping, not there
		1466, 8103, 1410, 8176, 8177, 1555, 22924, // the snapshot is gone
		3113, 3114, 3135, 3136, 2399, // connection lost
		12152, 12153, 12157, 12161, 12170, 12500, 12502, 12505, 12514, 12516, 12518, 12519, 12520, 12521, 12526, 12527, 12528,
		12535, 12537, 12540, 12541, 12543, 12545, 12547, 12560, 12564, 12570, 12571, 12583, 12606, 12608, 12609, 12636,
		4061, 4068, // package state discarded
		24550, 25400, 25401, 25402, 25403, 25404, 25405, 25406, 25407, 25408, 25409, 25425, // failover
	},
	replication.Unique: {1, 2299, 2437},
	replication.Integrity: {
		1400, 1401, 1407, 1438, 1426, 1461, 1722, 1830, 1839, 1840, 1841, 1843, 1847, 1850, 1858, 1861, 2290, 2291, 2292, 2293, 2298, 12899, 2091,
		1465, 1489, 1858, 1864, 1878, 1882, 1883, 22835, 40441,
	},
	replication.Missing: {942, 904, 903, 1418, 2289, 4043, 4080, 4098, 6550, 1435, 980, 4063},
	replication.Denied:  {1005, 1017, 1031, 1045, 28000, 28001, 1720, 1749, 41900, 990},
}

// Fault goes by the code of ORA- errors. The driver returns driver.ErrBadConn
// in place of those that say the connection is gone.
func (dialect) Fault(err error) replication.Fault {
	if err == nil {
		return replication.Other
	}
	if n := code(err); n != 0 {
		for fault, codes := range faults {
			if slices.Contains(codes, n) {
				return fault
			}
		}
		return replication.Other
	}
	var network net.Error
	switch text := err.Error(); {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return replication.Other // the caller's own doing
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.As(err, &network):
		return replication.Transient
	case strings.Contains(text, "DPI-1010"), strings.Contains(text, "DPI-1080"), strings.Contains(text, "DPI-1067"):
		return replication.Transient // not connected, connection closed, call timed out
	}
	return replication.Other
}

// code returns the number of the ORA- error in the chain, or 0. It asks for the
// method that the driver's error has, and reads the text otherwise.
func code(err error) int {
	if err == nil {
		return 0
	}
	var coded interface{ Code() int }
	if errors.As(err, &coded) && coded.Code() > 0 {
		return coded.Code()
	}
	return codeInText(err.Error())
}

// codeInText reads the first ORA-nnnnn that is not ORA-00000 or the ORA-06512 of
// a line in a stack.
func codeInText(s string) int {
	for {
		i := strings.Index(s, "ORA-")
		if i < 0 {
			return 0
		}
		s = s[i+len("ORA-"):]
		digits := 0
		for digits < len(s) && digits < 5 && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		if n, _ := strconv.Atoi(s[:digits]); n != 0 && n != 6512 {
			return n
		}
	}
}
