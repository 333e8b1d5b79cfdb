// One line of each command, for tests of what all of them must do. A new command that is not among them fails
// `listUnknown`.
import { Command } from 'commander';
import { REGISTRATIONS } from '../../src/cli/commands/index.js';

/** They run until somebody stops them. */
const PROCESSES: readonly string[] = ['worker', 'scheduler', 'up', 'demo', 'meter serve'];
/** They use no database. */
const OFFLINE: readonly string[] = ['rate-card check'];
/** `plans`, `usage`, … alone are `plans list`, `usage show`, …: a group whose first command has its name. */
const WORDS = 2;

/** The lines of a data center; what changes something would do it. `of`: what each of them needs to answer. */
export function listLines(dc: string, org: string): readonly (readonly string[])[] {
  const at = `--dc ${dc}`;
  const reason = '--reason asked';
  return [
    'init',
    `detach ${at} ${reason}`,
    'doctor',
    ...['remove', 'adopt-cell', 'uninstall'].flatMap((verb) => [`${verb} ${at}`, `${verb} ${at} --execute ${reason}`]),
    'settings show',
    `settings propose rollout.bake PT1H --execute ${reason}`,
    'settings get lanes',
    `settings set lanes 1 ${at} --execute ${reason}`,
    `settings unset lanes ${at} --execute ${reason}`,
    `settings withdraw s1 ${reason}`,
    `plan ${at}`,
    'plans',
    `plans show ${dc}-1`,
    `plans diff ${dc}-1 ${dc}-1`,
    `approve ${dc}-1 ${reason}`,
    ...['o', 'p', 'c', 'r', 'f', 'a', 'u'].map((letter) => `approve ${dc}-${letter}1 ${reason}`),
    `approve s1 ${reason}`,
    `approve h1 ${reason}`,
    `protect ${org} ${at} ${reason}`,
    `override ${org} ${at} --floor 900000 ${reason}`,
    `override ${org} ${at} --withdraw ${reason}`,
    `apply ${at}`,
    `apply ${at} --execute ${reason}`,
    `apply --plan ${dc}-1 --execute ${reason}`,
    `wait ${at}`,
    'status',
    'calendar',
    ...['pause', 'resume', 'abort', 'retry', 'freeze', 'unfreeze'].map((verb) => `${verb} ${at} ${reason}`),
    `undo ${at}`,
    `undo ${at} --show`,
    `undo ${at} --execute ${reason}`,
    'cutover show',
    `cutover postpone ${at} --to 2199-01-01 ${reason}`,
    `cutover execute ${at} --execute ${reason}`,
    `cutover reverse ${at} --to 2199-01-01 ${reason}`,
    `usage show ${at}`,
    `usage show ${org} ${at}`,
    `usage propose ${at} --execute ${reason}`,
    `meter enforce ${at} --org ${org} --credits on --execute ${reason}`,
    `exception list ${at}`,
    `exception add ${org} ${at} --text asks --execute ${reason}`,
    `exception answer ${org} ${at} --decline no --execute ${reason}`,
    `verify ${at}`,
    `repair ${at}`,
    `repair ${at} --execute ${reason}`,
    `reconcile ${at}`,
    `reconcile ${at} --execute ${reason}`,
    'reconcile --history',
    `why ${org} ${at}`,
    `quarantine ${at}`,
    'audit',
    'audit --verify',
    'audit --verify --accept-cut',
    `audit --verify --accept-cut --execute ${reason}`,
    `audit --verify --accept-cut --withdraw ${reason}`,
    'webhooks list',
    `webhooks resend --to ops --execute ${reason}`,
  ].map((line) => line.split(' '));
}

/** Commands of the program of which `lines` have none. */
export function listUnknown(lines: readonly (readonly string[])[]): readonly string[] {
  const cli = new Command();
  for (const register of REGISTRATIONS) register(cli, async () => undefined);
  const listNames = (of: Command, before: readonly string[]): readonly string[] =>
    of.commands.flatMap((one) => {
      const path = [...before, one.name()];
      return one.commands.length > 0 ? listNames(one, path) : [path.join(' ')];
    });
  const known = new Set(lines.flatMap((line) => [line[0], line.slice(0, WORDS).join(' ')]));
  return listNames(cli, []).filter((name) => ![...PROCESSES, ...OFFLINE].includes(name) && !known.has(name));
}
