/** What a host or an account is called, as a name of this cluster. */
export function nameOf(text: string): string {
  const name = (text.split('.')[0] ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63)
    .replace(/-+$/, '');
  return name === '' ? 'writ' : name;
}
