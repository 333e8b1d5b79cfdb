// Prints a line every few milliseconds until nobody reads them any more, and some more; then returns its own exit code.
import { createProcessIo } from '../../../src/cli/terminal/io.js';

const io = createProcessIo();
for (let left = 3; left > 0; left -= io.isClosed() ? 1 : 0) {
  io.out('a line\n');
  await new Promise((resolve) => setTimeout(resolve, 5));
}
process.exitCode = 4;
