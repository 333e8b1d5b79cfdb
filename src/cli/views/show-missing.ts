// What is asked for waits for processes: which of them do not run, and the command that starts them.
import type { Status } from '../../engine/operate/read-status.js';
import type { CommandNames } from '../terminal/command-names.js';

/** One line, or none where a scheduler runs and every one of these data centers has a worker. */
export function showMissing(status: Status, dataCenters: readonly string[], commands: CommandNames): readonly string[] {
  const idle = status.dataCenters.find((dc) => dataCenters.includes(dc.id) && dc.workersAlive === 0);
  const missing = [
    ...(status.schedulersAlive === 0 ? ['no scheduler runs'] : []),
    ...(idle === undefined ? [] : [`no worker serves ${idle.id}`]),
  ];
  return missing.length === 0 ? [] : [`It waits: ${missing.join(', and ')}. Start them: ${commands.show('up')}`];
}
