// Files that the bundler puts into the executable, and what an import of one gives.
declare module "*.sql" {
  const text: string;
  export default text;
}
declare module "*.md" {
  const text: string;
  export default text;
}
