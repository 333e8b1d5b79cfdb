// A small configuration that is right, and its reading with variables that are set.
import { parseRolloutConfig } from '../../../src/domain/config/parse-config.js';
import type { RolloutConfig } from '../../../src/domain/config/rollout-config.js';

const VARIABLES: Readonly<Record<string, string>> = {
  BATCH: '5000',
  SHORT: 'in',
  TRICKY: 'a: {b: [c]} # d',
  EMPTY: '',
  MYSQL: 'mysql://somebody:secret@x/y',
};
const lookup = (name: string): string | undefined => VARIABLES[name];
export const parse = (text: string): RolloutConfig => parseRolloutConfig(text, { lookup });

export const base = `controlDatabase: \${CONTROL_DATABASE_URL}
rateCard: ./rate-card.yaml
`;
export const india = `dataCenters:
  - { id: in, zone: Asia/Kolkata, database: "\${IN_DATABASE_URL}", source: public.orgs }
`;
export const withRollout = (line: string): string => `${base}${india}rollout:\n  ${line}\n`;
