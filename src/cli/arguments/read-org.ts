// The id of an org on the command line, or `-`: then it is the first line of standard input, because every user of the
// machine sees the arguments of npm and of a program that starts. One place for every command.
import type { Command } from 'commander';
import { MAX_ORG_ID_BYTES } from '../../domain/source/org-id.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CliIo } from '../terminal/io.js';

/** What helps and errors call such an argument. */
export const ORG_TEXT = "the org's id; `-` reads it from standard input";
export const ORG_OPTION_TEXT = 'of this org only; `-` reads its id from standard input';

/** Before each action: puts the id in the place of a `-`. Throws invalid_argument. */
export function readOrgs(cli: Command, io: CliIo): void {
  cli.hook('preAction', async (_, action) => {
    const at = action.registeredArguments.findIndex((argument) => argument.name() === 'org');
    const given: unknown = at < 0 ? undefined : action.processedArgs[at];
    if (typeof given === 'string') action.processedArgs[at] = await readOrg(given, io);
    const option: unknown = action.getOptionValue('org');
    if (typeof option === 'string') action.setOptionValue('org', await readOrg(option, io));
  });
}

async function readOrg(given: string, io: CliIo): Promise<string> {
  const org = given === '-' ? await io.readLine(MAX_ORG_ID_BYTES) : given;
  if (org === undefined)
    throw new RolloutError('invalid_argument', {
      message: `Standard input does not have exactly one line of at most ${MAX_ORG_ID_BYTES} bytes, the id of an org.`,
      next: 'Give it one id on one line.',
    });
  if (Buffer.byteLength(org) > MAX_ORG_ID_BYTES)
    throw new RolloutError('invalid_argument', {
      message: `The id of an org has ${Buffer.byteLength(org)} bytes, and none that is longer than ${MAX_ORG_ID_BYTES} can be decided.`,
      next: 'Correct the id.',
    });
  return org;
}
