// Which data centers a command is about: --dc, repeated or listed, or --all. Unknown ids are errors that list the
// known.
import { findDataCenter } from '../../compose.js';
import type { DataCenterConfig, RolloutConfig } from '../../domain/config/rollout-config.js';
import { RolloutError } from '../../kernel/rollout-error.js';

export interface DataCenterChoice {
  readonly dc?: readonly string[] | undefined;
  readonly all?: boolean | undefined;
}

/** In rollout order, each once. Throws invalid_argument without a choice or with both, unknown_data_center. */
export function chooseDataCenters(config: RolloutConfig, choice: DataCenterChoice): readonly DataCenterConfig[] {
  const named = choice.dc ?? [];
  if (named.length > 0 === (choice.all === true)) {
    const ids = config.dataCenters.map(({ id }) => id).join(', ');
    throw new RolloutError('invalid_argument', {
      message: named.length > 0 ? 'Both --dc and --all were given.' : 'No data center was named.',
      next: `Give either --dc with one of: ${ids}; or --all.`,
    });
  }
  return choice.all === true ? config.dataCenters : pickDataCenters(config, named);
}

/** The named ones, or all when none is named. */
export function pickDataCenters(config: RolloutConfig, named: readonly string[] = []): readonly DataCenterConfig[] {
  if (named.length === 0) return config.dataCenters;
  const wanted = new Set(named.map((id) => findDataCenter(config, id).id));
  return config.dataCenters.filter(({ id }) => wanted.has(id));
}
