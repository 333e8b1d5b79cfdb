// The watcher: a small shell process in a session of its own that starts PostgreSQL and stops it when its last user
// is gone. One per server, by a lock the kernel drops with it. Never knows who the users are, never writes data.
import { type ChildProcess, spawn } from 'node:child_process';
import { constants, fstatSync, ftruncateSync } from 'node:fs';
import { isRolloutError } from '../../kernel/rollout-error.js';
import { readEnvironment } from '../environment.js';
import type { PostgresBinaries } from './binaries.js';
import type { ServerLocation } from './location.js';
import { openOwn } from './own-files.js';

/** The watcher's exit code when another one already watches this server. */
export const ALREADY_WATCHED = 75;

// Descriptor 3 is the lock file, 5 the FIFO of the users. The mark `closing` and the second read close the gap in
// which somebody joins while the server stops: who opens the FIFO before the second read keeps the server alive,
// who opens it after has seen the mark and waits. A line on the FIFO asks the watcher to check again.
const SCRIPT = `
set -u
umask 077
folder=$1 data=$2 closing=$3 sockets=$4 system=$5
shift 5
if [ "$system" != darwin ]; then
  flock -n 3
  case $? in 0) ;; 1) exit ${ALREADY_WATCHED} ;; *) exit 1 ;; esac
fi
rm -f "$closing"
exec 4<>"$folder/users" 5<"$folder/users" 4>&-
cd "$data" || exit 1

is_alive() {
  kill -0 "$1" 2>/dev/null && { [ ! -e /proc/self/cwd ] || [ "/proc/$1/cwd" -ef "$data" ]; }
}
is_postgres() {
  [ ! -e /proc/self/comm ] || { { read -r name <"/proc/$1/comm"; } 2>/dev/null && [ "$name" = postgres ]; }
}

pid=
while [ -s postmaster.pid ]; do
  { read -r pid <postmaster.pid; } 2>/dev/null
  is_alive "$pid" && is_postgres "$pid" || { pid=; break; }
  case $(sed -n 8p postmaster.pid 2>/dev/null) in stopping*) pid=; sleep 0.1 ;; *) break ;; esac
done
if [ -z "$pid" ]; then
  # the number may be another process's by now; the other lines keep PostgreSQL's own check for orphans
  if [ -s postmaster.pid ]; then
    { echo 2147483647; sed 1d postmaster.pid; } >postmaster.stale && mv postmaster.stale postmaster.pid
  else
    rm -f postmaster.pid
  fi
  rm -f "$sockets"/.s.PGSQL.*
  "$@" 3>&- 5<&- &
  pid=$!
fi

while is_alive "$pid"; do
  if read -r _ <&5; then [ ! -e "$closing" ] || rm -f "$closing"
  elif [ -e "$closing" ]; then break
  else : >"$closing"
  fi
done
is_alive "$pid" || exit 1
kill -INT "$pid"
while is_alive "$pid"; do sleep 0.05; done
rm -f "$closing"
`;

const LOG_LIMIT_BYTES = 10_000_000;
const DARWIN_EXCLUSIVE_LOCK = 0x20; // O_EXLOCK: macOS has no flock program, but a lock that open() takes

/** Starts a watcher, which adopts a running server or starts one. `lock` and `log` are descriptors, still open then. */
export function spawnWatcher(
  location: ServerLocation,
  binaries: PostgresBinaries,
  settings: Readonly<Record<string, string>>,
  { lock, log }: { readonly lock: number; readonly log: number },
): ChildProcess {
  const child = spawn(
    'sh',
    ['-c', SCRIPT, 'credit-rollout-postgres', ...watcherArguments(location, binaries, settings)],
    {
      ...location.user,
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log, lock],
      env: watcherEnvironment(),
    },
  );
  child.unref();
  return child;
}

/** Nothing of our environment, where PGDATA, PGPORT or LANG would change what is started. */
export function watcherEnvironment(): Record<string, string> {
  return { PATH: readEnvironment('PATH') ?? '/usr/bin:/bin', LC_ALL: 'C' };
}

function watcherArguments(
  location: ServerLocation,
  binaries: PostgresBinaries,
  settings: Readonly<Record<string, string>>,
): readonly string[] {
  const { folder, dataFolder, closingMark, socketFolder } = location;
  const own = { listen_addresses: '', unix_socket_directories: socketFolder, unix_socket_permissions: '0700' };
  const assignments = Object.entries({ ...settings, ...own }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = [binaries.postgres, '-D', dataFolder, ...assignments];
  return [folder, dataFolder, closingMark, socketFolder, process.platform, ...server];
}

/** The lock of a server; undefined when it is known to be watched already. */
export function openLock(path: string): number | undefined {
  const flags = constants.O_RDWR | constants.O_CREAT;
  if (process.platform !== 'darwin') return openOwn('file', path, flags);
  try {
    return openOwn('file', path, flags | DARWIN_EXCLUSIVE_LOCK | constants.O_NONBLOCK);
  } catch (error) {
    if (isRolloutError(error)) throw error;
    return undefined;
  }
}

/** The log of a server, emptied when it is large. */
export function openLog(path: string): number {
  const fd = openOwn('file', path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND);
  if (fstatSync(fd).size > LOG_LIMIT_BYTES) ftruncateSync(fd);
  return fd;
}
