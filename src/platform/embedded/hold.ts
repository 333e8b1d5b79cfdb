// A process's hold on an embedded server: its FIFO, open for writing. The kernel drops it with the process, however
// that ends. Never waits, never starts anything.
import { closeSync, constants, writeSync } from 'node:fs';
import { openOwn } from './own-files.js';

/** An open hold. */
export interface ServerHold {
  /** Asks the watcher to check its server; false when nobody reads the FIFO any more. */
  ping(): boolean;
  /** Idempotent. */
  release(): void;
  isOpen(): boolean;
}

/** Opens a hold; undefined when no watcher reads the FIFO. */
export function openHold(usersFifo: string): ServerHold | undefined {
  const fd = openUnless('ENXIO', usersFifo, constants.O_WRONLY | constants.O_NONBLOCK);
  return fd === undefined ? undefined : createHold(fd);
}

/** Opens a hold although nobody reads yet, for the time a watcher needs to start. Others then see a reader too. */
export function openEarlyHold(usersFifo: string): ServerHold {
  return createHold(openOwn('fifo', usersFifo, constants.O_RDWR | constants.O_NONBLOCK));
}

function createHold(fd: number): ServerHold {
  let open = true;
  return {
    isOpen: () => open,
    ping: () => {
      try {
        return writeSync(fd, '\n') === 1;
      } catch (error) {
        if (hasCode(error, 'EAGAIN')) return true; // full of lines that nobody has read yet
        if (hasCode(error, 'EPIPE')) return false;
        throw error;
      }
    },
    release: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function openUnless(code: string, path: string, flags: number): number | undefined {
  try {
    return openOwn('fifo', path, flags);
  } catch (error) {
    if (hasCode(error, code)) return undefined;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
