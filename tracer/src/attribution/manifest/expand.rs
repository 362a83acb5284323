//! `$(VAR)` in a probe's command, as the kubelet expands it before it calls the runtime.
//!
//! Only `env[].value` counts; a variable with `valueFrom` has an empty value there (pkg/kubelet/container/helpers.go:
//! ExpandContainerCommandOnlyStatic, v1EnvVarsToMap; third_party/forked/golang/expansion).

use std::collections::HashMap;

/// Expands one argument: `$(NAME)` of a known name becomes its value, of an unknown one stays; `$$` becomes `$`; any
/// other `$` stays. `None` once the result passes `max_bytes`.
pub fn expand(argument: &str, env: &HashMap<&str, &str>, max_bytes: usize) -> Option<String> {
    let mut result = String::new();
    let mut rest = argument;
    while let Some(dollar) = rest.find('$') {
        result.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            after
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|open| open.split_once(')')) {
            match env.get(name) {
                Some(value) => result.push_str(value),
                None => result.extend(["$(", name, ")"]),
            }
            after
        } else {
            result.push('$');
            after
        };
        if result.len() > max_bytes {
            return None;
        }
    }
    result.push_str(rest);
    (result.len() <= max_bytes).then_some(result)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_env(argument: &str) -> String {
        let env = HashMap::from([("A", "1"), ("LONG_NAME", "$(A)"), ("EMPTY", "")]);
        // 50 characters of up to 4 bytes must fit.
        expand(argument, &env, 400).unwrap()
    }

    #[test]
    fn expands_as_the_kubelet_does() {
        // The cases follow the rules of third_party/forked/golang/expansion/expand.go.
        for (argument, expanded) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$$$$(A)", "$$(A)"),
            ("$(UNKNOWN)", "$(UNKNOWN)"),
            ("$(EMPTY)", ""),
            ("$(LONG_NAME)", "$(A)"), // values are not expanded again
            ("$A ${A} $", "$A ${A} $"),
            ("$(A", "$(A"),
            ("$($(A))", "$($(A))"),
            ("", ""),
        ] {
            assert_eq!(with_env(argument), expanded, "{argument}");
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let big = "x".repeat(1000);
        assert_eq!(expand(&"$(A)".repeat(1000), &HashMap::from([("A", big.as_str())]), 5000), None);
    }

    proptest! {
        #[test]
        fn text_without_dollars_stays(text in "[^$]{0,50}") {
            prop_assert_eq!(with_env(&text), text);
        }

        #[test]
        fn doubled_dollars_give_the_text_back(text in "[$()A-C]{0,30}") {
            prop_assert_eq!(with_env(&text.replace('$', "$$")), text);
        }
    }
}
