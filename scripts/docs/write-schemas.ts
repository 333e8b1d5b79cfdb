// Writes the JSON Schemas that editors read. test/docs/config.test.ts fails while they are old.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFolder } from '../../src/compose.js';
import { renderConfigSchema, renderRateCardSchema } from './config-schema.js';

const folder = join(projectFolder, 'docs', 'reference');
await writeFile(join(folder, 'rollout.config.schema.json'), renderConfigSchema());
await writeFile(join(folder, 'rate-card.schema.json'), renderRateCardSchema());
