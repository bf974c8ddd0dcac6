/** Style sheets are bundled into `app.css`; importing one gives nothing. */
declare module "*.css";
