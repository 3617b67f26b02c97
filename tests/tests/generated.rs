//! What is made from code and kept in the repository is what the code makes

#[test]
fn generated_files_are_current() {
    xtask::generate::check().unwrap();
}
