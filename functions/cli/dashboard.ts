/** `nim-to-dynatrace dashboard`: the dashboard as JSON, or straight into an environment. */
import { systemClock } from '../adapters/clock.ts';
import { type UploadedDocument, uploadDocument } from '../adapters/documents-dynatrace.ts';
import { createHttp } from '../adapters/http.ts';
import { buildDashboard } from '../core/dashboard/dashboard.ts';
import { TOKEN_VARIABLE, tokenProblem } from '../core/dashboard/environment.ts';
import { type DashboardSettings, dashboardHelp, readDashboardOptions } from './dashboard-options.ts';
import { print, say, withOutput } from './output.ts';

export async function dashboard(args: readonly string[]): Promise<number> {
  const options = readDashboardOptions(args);
  if (options.code === 'help') {
    process.stdout.write(`${dashboardHelp()}\n`);
    return 0;
  }
  if (options.code === 'wrong') {
    say(options.problems.join('\n'));
    return 2;
  }
  return withOutput(new AbortController(), () => printOrUpload(options.settings));
}

async function printOrUpload({ dashboard: options, origin }: DashboardSettings): Promise<number> {
  const content = `${JSON.stringify(buildDashboard(options), null, 2)}\n`;
  if (origin === undefined) {
    await print(content);
    return 0;
  }
  const { variant } = options;
  const name = variant === 'grail' ? 'NVIDIA NIM' : 'NVIDIA NIM (means)';
  return upload(origin, { id: `nim-to-dynatrace-${variant}`, name, type: 'dashboard', content });
}

async function upload(origin: string, document: UploadedDocument): Promise<number> {
  const token = process.env[TOKEN_VARIABLE]?.trim() ?? '';
  const problem = tokenProblem(token);
  if (problem !== undefined) {
    say(problem);
    return 2;
  }
  const http = createHttp({ clock: systemClock });
  try {
    const deps = { http, nowMs: systemClock.monotonicMs, origin, token };
    const outcome = await uploadDocument(deps, document);
    if (outcome.code !== 'created' && outcome.code !== 'updated') {
      say(outcome.message);
      return 1;
    }
    say(`the dashboard was ${outcome.code}`);
    await print(`${origin}/ui/apps/dynatrace.dashboards/dashboard/${document.id}\n`);
    return 0;
  } finally {
    await http.close();
  }
}
