const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `3064320` → `'3,064,320'`. */
export function formatCount(count: number): string {
  return whole.format(count);
}

/** A large count in three digits: `3064320` → `'3.06 M'`. */
export function formatLarge(count: number): string {
  const units = [
    [1e12, ' T'],
    [1e9, ' B'],
    [1e6, ' M'],
    [1e3, ' k'],
  ] as const;
  const unit = units.find(([size]) => count >= size * 0.9995);
  return unit === undefined ? formatCount(count) : `${Number((count / unit[0]).toPrecision(3))}${unit[1]}`;
}

/** `134217728` → `'128 MiB'`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : value.toPrecision(3)} ${units[unit]!}`;
}

/** `75` → `'1:15'`; hours where there are some. Unknown or endless: `'–:––'`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–:––';
  const total = Math.round(seconds);
  const two = (value: number): string => value.toString().padStart(2, '0');
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor(total / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

/** Seconds with a unit, for measured times: `'41.2 s'`, `'12 min 5 s'`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(Math.round(seconds) / 60)} min ${Math.round(seconds) % 60} s`;
}

/** A share as a percentage: `0.5234` → `'52 %'`. */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
