// Part of the registry of errors: where a process listens, and where a command writes what people read.
import { type ErrorEntry, entry } from './error-entry.js';

export const OUTPUT_ERRORS = {
  listen_refused: entry(
    1,
    'A process cannot listen at the place of --listen: it is taken, or others may write into the folder of the socket.',
    'End the other process, or name another place with --listen; a socket needs a folder that is there and that only its user can write into: install -d -o USER FOLDER.',
  ),
  out_unwritable: entry(
    1,
    'The folder named by --out cannot be written; nothing of the report is there.',
    'Name a folder with --out that can be written.',
  ),
  out_unsafe: entry(
    1,
    'Somebody else may write into the folder named by --out, or into one above it, or a symbolic link is in the way.',
    'Name a folder with --out that only you can write into, such as one in your home.',
  ),
  out_not_empty: entry(
    1,
    'The folder named by --out holds something else than a report of ours.',
    'Name a new or empty folder with --out.',
  ),
  output_lost: entry(
    1,
    'Standard output is a file that could not be written to its end; what the command did to databases it has done.',
    'Free some space, or write to another disk, then show it again.',
  ),
} as const satisfies Record<string, ErrorEntry>;
