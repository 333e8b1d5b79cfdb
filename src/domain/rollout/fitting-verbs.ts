// Which commands fit where a data center is now: for whoever gave one that does not. Decides nothing itself; a test
// compares it with what each command refuses at each stage.
import { type Advice, advise, command } from '../../kernel/advice.js';
import { UNDOABLE_STAGES } from './decide-undo.js';
import { type Intent, RESTING_STAGES, type Stage } from './stage.js';

export const STAGE_VERBS = [
  'apply',
  'pause',
  'resume',
  'abort',
  'retry',
  'reconcile',
  'repair',
  'undo',
  'detach',
] as const;
export type StageVerb = (typeof STAGE_VERBS)[number];

export interface VerbPosition {
  readonly stage: Stage;
  readonly intent: Intent;
  readonly requestedAt: Date | null;
  /** What failed is an undo. */
  readonly undoFailed: boolean;
  /** When its cut-over became final. */
  readonly gateLatchedAt: Date | null;
}

/** Those that would change something now. */
export function listFittingVerbs(position: VerbPosition): readonly StageVerb[] {
  const { stage, intent, requestedAt, undoFailed, gateLatchedAt } = position;
  const underWay = requestedAt !== null || !RESTING_STAGES.includes(stage);
  const fits: Readonly<Record<StageVerb, boolean>> = {
    apply: !underWay,
    pause: (underWay || stage === 'done') && intent !== 'abort',
    resume: intent === 'pause',
    abort: (underWay && stage !== 'undoing') || stage === 'failed',
    retry: stage === 'failed' && requestedAt === null && !undoFailed,
    reconcile: stage === 'done',
    repair: requestedAt === null && (stage === 'done' || stage === 'aborted' || stage === 'failed'),
    undo: requestedAt === null && gateLatchedAt === null && UNDOABLE_STAGES.includes(stage),
    detach: !underWay,
  };
  return STAGE_VERBS.filter((verb) => fits[verb]);
}

/** The commands that fit, for one data center. */
export function adviseFitting(dataCenter: string, position: VerbPosition): Advice {
  const verbs = listFittingVerbs(position);
  return [
    'What fits now: ',
    ...verbs.flatMap((verb, at) => [...(at === 0 ? [] : [', ']), commandOf(verb, dataCenter)]),
    ...advise`. See where it is: ${command('status')}`,
  ];
}

function commandOf(verb: StageVerb, dc: string): ReturnType<typeof command> {
  switch (verb) {
    case 'apply':
      return command`apply --dc ${dc}`;
    case 'pause':
      return command`pause --dc ${dc}`;
    case 'resume':
      return command`resume --dc ${dc}`;
    case 'abort':
      return command`abort --dc ${dc}`;
    case 'retry':
      return command`retry --dc ${dc}`;
    case 'reconcile':
      return command`reconcile --dc ${dc}`;
    case 'repair':
      return command`repair --dc ${dc}`;
    case 'undo':
      return command`undo --dc ${dc}`;
    case 'detach':
      return command`detach --dc ${dc}`;
  }
}
