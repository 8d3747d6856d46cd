// What Node.js 20 lacks and oidc-provider 9 calls. Imported before it.
URL.parse ??= (address, base) => {
  try {
    return new URL(address, base);
  } catch {
    return null;
  }
};
