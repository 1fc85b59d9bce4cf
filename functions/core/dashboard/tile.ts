/** What a tile of the dashboard is, and what the tiles of all sections share. */
import type { TileSize } from './layout.ts';
import type { MetricQuery } from './query.ts';

/** Time series, but for `singleValue` (one number) and `table` (rows). */
export type Visualization = 'lineChart' | 'areaChart' | 'barChart' | 'singleValue' | 'table';

export type DisplayUnit = 'second' | 'percent' | 'count';

export interface DataTile {
  readonly title: string;
  /** One sentence, shown with the tile and in docs/dashboard.md. */
  readonly about: string;
  /** Text where the tile asks for something else than metrics. */
  readonly query: MetricQuery | string;
  readonly visualization: Visualization;
  readonly unit: DisplayUnit;
  readonly size: TileSize;
}

export interface Section {
  readonly heading: string;
  readonly tiles: readonly DataTile[];
}

export const NUMBER: TileSize = { w: 6, h: 3 };
export const HALF: TileSize = { w: 12, h: 6 };
export const THIRD: TileSize = { w: 8, h: 6 };

/** Replicas shown in a table: more than one screen holds is not read. */
export const MAX_ROWS = 20;

export const BY_MODEL = { by: ['model_name'], narrowedBy: ['model_name', 'service.name'] } as const;
export const OVERALL = { by: [], narrowedBy: ['model_name', 'service.name'] } as const;
