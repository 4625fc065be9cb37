export const instantText = (instant: number): string => new Date(instant).toISOString();
