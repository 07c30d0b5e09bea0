//! What the README shows is what is there.

#[test]
fn the_quickstart_in_the_readme_is_the_example() {
    let example = include_str!("../../examples/axum_quickstart.rs");
    assert!(include_str!("../../README.md").contains(example.trim()), "copy the example into README.md");
    assert!(example.lines().count() < 40, "the shortest honest drop-in");
}
