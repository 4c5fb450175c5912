// Files of the PGlite package that the bundler puts into the executable: an import of one gives its path.
declare module "*.wasm" {
  const path: string;
  export default path;
}
declare module "*.data" {
  const path: string;
  export default path;
}
