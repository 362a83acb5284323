//! Invariant 1: a kernel program on a packet or socket path never changes its fate.

use anyhow::Result;
use syn::visit::Visit;

use super::Finding;
use super::source::{Rust, Tree};

/// The attribute of a hook that decides over a packet, and the only exit that lets it pass.
const PASS: &[(&str, &str)] = &[("cgroup_skb", "1"), ("sk_lookup", "SK_PASS"), ("classifier", "TC_ACT_UNSPEC")];

pub fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let programs = tree.rust.iter().filter(|file| file.path.starts_with("tracer-ebpf/src/"));
    Ok(programs.flat_map(in_file).collect())
}

fn in_file(file: &Rust) -> Vec<Finding> {
    let mut hooks = Hooks { file, findings: Vec::new() };
    hooks.visit_file(&file.product);
    // sock_ops' answer to the kernel is this field; writing it changes time-outs and windows.
    for three in file.tokens.windows(3) {
        if three[0].text == "." && three[1].text == "reply" && three[2].text == "=" {
            hooks.findings.push(Finding::new(format!("{}:{}", file.path, three[1].line), "writes sock_ops' `reply`"));
        }
    }
    hooks.findings
}

struct Hooks<'a> {
    file: &'a Rust,
    findings: Vec<Finding>,
}

impl<'ast> Visit<'ast> for Hooks<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let names =
            |attribute: &syn::Attribute, hook: &str| attribute.path().segments.last().is_some_and(|s| s.ident == hook);
        let rule = PASS.iter().find(|(hook, _)| function.attrs.iter().any(|attribute| names(attribute, hook)));
        let Some((hook, pass)) = rule else { return };
        let tail = function.block.stmts.last().and_then(|last| match last {
            syn::Stmt::Expr(expression, None) => Some(expression),
            _ => None,
        });
        let mut exits = Exits { pass, others: 0 };
        exits.visit_block(&function.block);
        if exits.others > 0 || !tail.is_some_and(|expression| is(expression, pass)) {
            let line = function.sig.ident.span().start().line;
            let what = format!("each exit of {} ({hook}) has to be a plain `{pass}`", function.sig.ident);
            self.findings.push(Finding::new(format!("{}:{line}", self.file.path), what));
        }
    }
}

/// Early exits of the function itself, `?` among them; those of a closure leave only the closure.
struct Exits<'a> {
    pass: &'a str,
    others: usize,
}

impl<'ast> Visit<'ast> for Exits<'_> {
    fn visit_expr_return(&mut self, exit: &'ast syn::ExprReturn) {
        self.others += usize::from(!exit.expr.as_ref().is_some_and(|value| is(value, self.pass)));
    }

    fn visit_expr_try(&mut self, _: &'ast syn::ExprTry) {
        self.others += 1;
    }

    fn visit_expr_closure(&mut self, _: &'ast syn::ExprClosure) {}
}

fn is(expression: &syn::Expr, value: &str) -> bool {
    match expression {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. }) => number.base10_digits() == value,
        syn::Expr::Path(path) => path.path.segments.last().is_some_and(|segment| segment.ident == value),
        syn::Expr::Cast(cast) => is(&cast.expr, value),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_exit_of_a_packet_hook_is_found() {
        let count = |text| check(&Tree::one("tracer-ebpf/src/hooks/a.rs", text)).unwrap().len();
        for bad in [
            "#[cgroup_skb(egress)] fn f(c: C) -> i32 { 0 }",
            "#[cgroup_skb] fn f(c: C) -> i32 { if x { return 0; } 1 }",
            "#[cgroup_skb] fn f(c: C) -> i32 { g(&c) }",
            "#[sk_lookup] fn f(c: C) -> u32 { g(&c)?; SK_PASS }",
            "fn f(ops: &mut O) { ops.reply = 3; }",
        ] {
            assert_eq!(count(bad), 1, "{bad}");
        }
        assert_eq!(count("#[cgroup_skb] fn f(c: C) -> i32 { h(|x| { g(x)?; return; }); if y { return 1; } 1 }"), 0);
    }
}
