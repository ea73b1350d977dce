// Runs before the page's own script, and records everything that goes wrong.
window.problems = [];
addEventListener("error", (event) => problems.push(`error: ${event.message}`), true);
addEventListener("unhandledrejection", (event) => problems.push(`rejection: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => problems.push(`policy: ${event.blockedURI}`));
for (const level of ["error", "warn"]) {
  console[level] = (...words) => problems.push(`console.${level}: ${words.join(" ")}`);
}
