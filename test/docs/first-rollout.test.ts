// The first-rollout tutorial, command by command, on the built program with an embedded server of its own; and that of
// the meter, which goes on from it.
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createProjectCopy, type ProjectCopy } from '../../scripts/docs/project-copy.js';
import { findMissing, parseConsole, type ShownCommand, toPattern } from './console-block.js';
import { listCode, readDocument } from './read-document.js';

const text = await readDocument('docs/tutorial/first-rollout.md');
const commands = parseConsole(listCode(text, 'console'));

describe('docs/tutorial/first-rollout.md', () => {
  test('explains in its first screen what a credit is, and that a credit is not a call', () => {
    const screen = text.split('\n').slice(0, 25).join(' ');
    expect(screen).toContain('What is a credit?');
    expect(screen).toContain('A credit is not a call.');
    expect(screen).toContain('3 to 100 credits');
  });

  describe('its commands', () => {
    let copy: ProjectCopy;
    beforeAll(async () => {
      copy = await createProjectCopy();
    }, 180_000);
    afterAll(() => copy.remove());

    /** One after the other: each goes on from what the one before has done. */
    test.each(commands)('$text', { timeout: 300_000 }, async ({ args, shown }: ShownCommand) => {
      const { code, output } = await copy.run(...args);
      expect(findMissing(shown, output), output).toEqual([]);
      expect(output).toMatch(toPattern(shown));
      expect(code).toBe(shown.some((line) => line.startsWith('error [same_person]')) ? 7 : 0);
    });

    test('docs/tutorial/meter-your-gateway.md: what it asks is answered as it shows', async () => {
      const meter = await copy.serve(/^▶ meter: serving in at /u, 'meter', '--dc', 'in', '--listen', '127.0.0.1:0');
      const [, port = ''] = /http:\/\/127\.0\.0\.1:(\d+), counting in its memory$/u.exec(meter.line) ?? [];
      const asked = parseCurls(listCode(await readDocument('docs/tutorial/meter-your-gateway.md'), 'sh'));
      expect(asked).toHaveLength(6);
      for (const { path, body, shown } of asked) {
        const answer = await askAt(port, path, body);
        expect(findMissing(shown, answer), answer).toEqual([]);
      }
      expect(await meter.stop()).toBe(0);
    });
  });
});

interface Asked {
  readonly path: string;
  readonly body: string | undefined;
  readonly shown: readonly string[];
}

/** Blocks of one `$ curl -si URL [-d BODY]` each, and the lines that it shows. */
function parseCurls(blocks: readonly string[]): readonly Asked[] {
  return blocks.map((block) => {
    const [command = '', ...shown] = block.trimEnd().split('\n');
    const [, path, body] = /^\$ curl -si http:\/\/127\.0\.0\.1:8429(\/\S+)(?: -d '(.+)')?$/u.exec(command) ?? [];
    if (path === undefined) throw new Error(`the tutorial shows "${command}", which this test cannot ask`);
    return { path, body, shown };
  });
}

/** As `curl -i` prints it. */
const askAt = (port: string, path: string, body: string | undefined): Promise<string> =>
  new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const asked = request({ agent: false, host: '127.0.0.1', port, path, method }, (response) => {
      const { rawHeaders, statusCode, statusMessage } = response;
      const headers = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
      let text = '';
      response.on('data', (part) => {
        text += String(part);
      });
      response.on('end', () => resolve([`HTTP/1.1 ${statusCode} ${statusMessage}`, ...headers, text].join('\n')));
    });
    asked.on('error', reject).end(body);
  });
