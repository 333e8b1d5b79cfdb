// Commands as this user can paste them: through npm where npm ran us, and with the configuration that was named.
import type { Release } from '../../domain/rollout/hold.js';
import {
  type Advice,
  type CommandText,
  formatAdvice,
  quoteText,
  quoteUnlessHidden,
  type SourceText,
} from '../../kernel/advice.js';

export interface CommandNames {
  /** `status --dc eu` as this user runs it. */
  show<Text extends string>(command: CommandText | (Text & SourceText<Text>)): string;
  /** What ends a hold, its command as this user runs it. */
  showRelease(release: Release): string;
  /** The text of an error, a finding or a note, its commands as this user runs them. */
  showAdvice(advice: string | Advice): string;
  /** Every command that was shown: what prints it keeps it in one piece. */
  readonly shown: ReadonlySet<string>;
}

export interface CommandContext {
  /** The npm script that runs us, if one does. */
  readonly script: string | undefined;
  /** The project's folder, where the command was called from another one. */
  readonly project?: string | undefined;
  /** The --config that was given. */
  readonly config: string | undefined;
}

const NPM_SCRIPTS = ['rollout', 'start'];

export function createCommandNames({ script, project, config }: CommandContext): CommandNames {
  const npm = `npm run -s ${project === undefined ? '' : `--prefix ${quoteUnlessHidden(project, 'FOLDER')} `}rollout --`;
  const program = NPM_SCRIPTS.includes(script ?? '') ? npm : 'credit-rollout';
  const prefix = config === undefined ? program : `${program} --config ${quoteUnlessHidden(config, 'FILE')}`;
  const shown = new Set<string>();
  const write = (text: string): string => {
    const command = `${prefix} ${text}`;
    shown.add(command);
    return command;
  };
  return {
    show: (command: CommandText | string) => write(typeof command === 'string' ? command : command.command),
    shown,
    showRelease: (release) =>
      release.kind === 'waits'
        ? release.note
        : `${write([release.verb, ...release.args.map(quoteText)].join(' '))}${release.after ?? ''}`,
    showAdvice: (advice) => formatAdvice(advice, write),
  };
}
