// A one-time link carries its token behind the “#”, which no server's log and no referrer sees.
const form = document.querySelector("form[data-link]");
const token = location.hash.slice(1) || sessionStorage.getItem("link") || "";
sessionStorage.setItem("link", token);  // the page comes again where a password was refused
history.replaceState(null, "", location.pathname);
form.elements.token.value = token;
