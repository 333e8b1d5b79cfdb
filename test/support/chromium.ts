// The Chromium of the system, where one is installed, and axe-core in it; else a reported skip. Nothing is downloaded.
// Both packages are loaded by name: only suites that run need them.
import { accessSync, constants } from 'node:fs';
import { reportSkipped, requiresAll } from './skipped-suites.js';

const PROGRAM = '/usr/bin/chromium';
const PLAYWRIGHT = 'playwright-core';
const AXE = 'axe-core';

/** For `describe.skipIf(!chromiumAvailable())`: false, and reported, where it is not installed. */
export function chromiumAvailable(): boolean {
  if (isInstalled() || requiresAll()) return true;
  reportSkipped('Pages in a browser: Chromium is not installed (apt-get install chromium).');
  return false;
}

function isInstalled(): boolean {
  try {
    accessSync(PROGRAM, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

interface Page {
  setContent(html: string): Promise<void>;
  evaluate(script: string): Promise<unknown>;
  setViewportSize(size: { readonly width: number; readonly height: number }): Promise<void>;
  emulateMedia(media: Pick<Screen, 'colorScheme' | 'media'>): Promise<void>;
  close(): Promise<void>;
}
interface Browser {
  newPage(options: { readonly bypassCSP: boolean }): Promise<Page>;
  close(): Promise<void>;
}
interface Playwright {
  readonly chromium: { launch(options: object): Promise<Browser> };
}
interface AxeResults {
  readonly passes: readonly { readonly id: string }[];
  readonly violations: readonly {
    readonly id: string;
    readonly impact: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

export interface Screen {
  readonly colorScheme: 'light' | 'dark';
  readonly media: 'screen' | 'print';
  readonly width: number;
}

export interface Looked {
  /** Names of the rules that found nothing wrong. */
  readonly passed: readonly string[];
  /** What keeps people out, each with where. */
  readonly found: readonly string[];
  readonly scrollsSideways: boolean;
}

export interface TestChromium {
  /** What axe finds on a page, on each of these screens. */
  look(html: string, screens: readonly Screen[]): Promise<readonly Looked[]>;
  close(): Promise<void>;
}

export async function startChromium(): Promise<TestChromium> {
  const { chromium }: Playwright = await import(PLAYWRIGHT);
  const { default: axe }: { readonly default: { readonly source: string } } = await import(AXE);
  // as root it has no sandbox: it is only shown what we wrote
  const browser = await chromium.launch({ executablePath: PROGRAM, chromiumSandbox: process.getuid?.() !== 0 });
  return {
    look: async (html, screens) => {
      // the policy of a page lets no script run; axe is one
      const page = await browser.newPage({ bypassCSP: true });
      await page.setContent(html);
      await page.evaluate(axe.source);
      const looked: Looked[] = [];
      for (const screen of screens) looked.push(await lookOnce(page, screen));
      await page.close();
      return looked;
    },
    close: () => browser.close(),
  };
}

async function lookOnce(page: Page, { colorScheme, media, width }: Screen): Promise<Looked> {
  await page.setViewportSize({ width, height: 800 });
  await page.emulateMedia({ colorScheme, media });
  const { passes, violations } = (await page.evaluate('axe.run()')) as AxeResults;
  return {
    passed: passes.map(({ id }) => id),
    found: violations.map(({ id, impact, nodes }) => `${impact}: ${id}: ${nodes.map((one) => one.html).join(' ')}`),
    scrollsSideways: (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) === true,
  };
}
