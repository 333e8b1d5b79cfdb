// Commands as this user can paste them: through npm where npm ran us, and with the configuration that was named.
import type { Release } from '../../domain/rollout/hold.js';

export interface CommandNames {
  /** `status --dc eu` as this user runs it. */
  show(command: string): string;
  /** What ends a hold, its command as this user runs it. */
  showRelease(release: Release): string;
  /** The text of an error or a note, with every `credit-rollout VERB` in it as this user runs it. */
  rewrite(text: string): string;
}

export interface CommandContext {
  /** The npm script that runs us, if one does. */
  readonly script: string | undefined;
  /** The --config that was given. */
  readonly config: string | undefined;
  /** The names of all commands: `credit-rollout` before another word is no command. */
  readonly verbs: readonly string[];
}

const NPM_SCRIPTS = ['rollout', 'start'];

export function createCommandNames({ script, config, verbs }: CommandContext): CommandNames {
  const program = NPM_SCRIPTS.includes(script ?? '') ? 'npm run -s rollout --' : 'credit-rollout';
  const prefix = config === undefined ? program : `${program} --config ${quote(config)}`;
  const command = new RegExp(`(?<![\\w-])credit-rollout (?=(${verbs.join('|')}|--help)(?![\\w-]))`, 'gu');
  return {
    show: (text) => `${prefix} ${text}`,
    showRelease: (release) =>
      release.kind === 'waits'
        ? release.note
        : `${[prefix, release.verb, ...release.args].join(' ')}${release.after ?? ''}`,
    rewrite: (text) => text.replaceAll(command, () => `${prefix} `),
  };
}

const quote = (text: string): string => (/^[\w./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
