//! What the README shows is what is there.

#[test]
fn the_quickstarts_in_the_readme_are_the_examples() {
    for example in [
        include_str!("../../examples/axum_quickstart.rs"),
        include_str!("../../examples/actix_quickstart.rs"),
    ] {
        assert!(include_str!("../../README.md").contains(example.trim()), "copy the example into README.md");
        assert!(example.lines().count() < 40, "the shortest honest drop-in");
    }
}
