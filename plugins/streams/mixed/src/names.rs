//! The names of the classes of several streams.

/// The names of all classes, stream after stream. If several streams have a name, it is prefixed with the stream's
/// kind: `kind: name`. If several streams of one kind have it, the stream's number is added: `kind 2: name`.
pub(crate) fn class_names(streams: &[(&str, &[String])]) -> Vec<String> {
    let has = |(_, names): &(&str, &[String]), name: &String| names.contains(name);
    let called = |number: usize, name: &String| {
        let kind = streams[number].0;
        let others = || streams.iter().enumerate().filter(|(other, stream)| *other != number && has(stream, name));
        if others().next().is_none() {
            name.clone()
        } else if others().any(|(_, stream)| stream.0 == kind) {
            format!("{kind} {}: {name}", number + 1)
        } else {
            format!("{kind}: {name}")
        }
    };
    let all = streams.iter().enumerate();
    all.flat_map(|(number, (_, names))| names.iter().map(move |name| (number, name)))
        .map(|(number, name)| called(number, name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_streams_have_in_common_have_a_prefix() {
        let [letters, digits] = [["a", "0"], ["0", "1"]].map(|names| names.map(str::to_owned));
        let both = class_names(&[("letters", &letters), ("digits", &digits)]);
        assert_eq!(both, ["a", "letters: 0", "digits: 0", "1"]);
        let three = class_names(&[("letters", &letters), ("digits", &digits), ("digits", &digits)]);
        assert_eq!(three, ["a", "letters: 0", "digits 2: 0", "digits 2: 1", "digits 3: 0", "digits 3: 1"]);
    }
}
