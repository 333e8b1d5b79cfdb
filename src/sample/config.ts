// The configuration of the embedded default: three sample data centers in different time zones, every database on one
// embedded server. A fleet's configuration has the same shape; only the URLs differ.

/** Databases on the embedded server, by the variable that the text below names. */
export const EMBEDDED_DATABASES = {
  CONTROL_DATABASE_URL: 'credit_rollout_control',
  IN_DATABASE_URL: 'cell_in',
  EU_DATABASE_URL: 'cell_eu',
  US_DATABASE_URL: 'cell_us',
} as const;

/** Small batches, so that a sample of some ten thousand orgs shows what a large cell would. */
export const EMBEDDED_CONFIG = `
controlDatabase: \${CONTROL_DATABASE_URL}
rateCard: src/sample/rate-card.yaml
rollout:
  notBefore: 2025-10-06
  batchSize: 500
  lanes: 2
signups: { cutover: 2025-10-30 }
dataCenters:
  - { id: in, zone: Asia/Kolkata, database: "\${IN_DATABASE_URL}", source: public.orgs }
  - { id: eu, zone: Europe/Berlin, database: "\${EU_DATABASE_URL}", source: public.orgs }
  - { id: us, zone: America/New_York, database: "\${US_DATABASE_URL}", source: public.orgs }
`;
