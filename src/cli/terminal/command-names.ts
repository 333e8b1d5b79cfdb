// Commands as this user can paste them: through npm where npm ran us, and with the configuration that was named.

const VERBS = [
  'init',
  'detach',
  'doctor',
  'plan',
  'plans',
  'approve',
  'protect',
  'override',
  'apply',
  'status',
  'calendar',
  'verify',
  'reconcile',
  'why',
  'pause',
  'resume',
  'abort',
  'retry',
  'freeze',
  'unfreeze',
  'cutover',
  'quarantine',
  'audit',
  'rate-card',
  'worker',
  'scheduler',
  'up',
] as const;

export interface CommandNames {
  /** `status --dc eu` as this user runs it. */
  show(command: string): string;
  /** The text with every `credit-rollout VERB` in it as this user runs it. */
  rewrite(text: string): string;
}

const NPM_SCRIPTS = ['rollout', 'start'];
const COMMAND = new RegExp(`(?<![\\w-])credit-rollout (?=(${VERBS.join('|')}|--help)(?![\\w-]))`, 'gu');

/** `script`: the npm script that runs us, if one does. `config`: the --config that was given. */
export function createCommandNames(script: string | undefined, config: string | undefined): CommandNames {
  const program = NPM_SCRIPTS.includes(script ?? '') ? 'npm run -s rollout --' : 'credit-rollout';
  const prefix = config === undefined ? program : `${program} --config ${quote(config)}`;
  return {
    show: (command) => `${prefix} ${command}`,
    rewrite: (text) => text.replaceAll(COMMAND, () => `${prefix} `),
  };
}

const quote = (text: string): string => (/^[\w./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
