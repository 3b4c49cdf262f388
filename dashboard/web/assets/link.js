// A one-time link carries its token behind the “#”, which no server's log and no referrer sees. It
// stays in this tab for as long as its page comes again, as where a password is refused.
const form = document.querySelector("form[data-link]");
const token = location.hash.slice(1) || sessionStorage.getItem("link") || "";
sessionStorage.removeItem("link");
history.replaceState(null, "", location.pathname);
form.elements.token.value = token;
form.addEventListener("submit", () => sessionStorage.setItem("link", token));
