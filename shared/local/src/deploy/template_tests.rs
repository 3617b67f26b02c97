use super::*;

const TEXT: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Globals:
  Function:
    Environment:
      Variables:
        WEIR_STAGE: local
Resources:
  ReleaseCreate:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName:
        Fn::Sub: ${AWS::StackName}-release_create
      CodeUri: ../target/lambda/weir-api/
      Handler: release_create
      Events:
        Http: { Type: HttpApi, Properties: { Method: post, Path: /v1/releases } }
        Queue: { Type: SQS, Properties: { BatchSize: 1 } }
  NodeArrive:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ../target/lambda/weir-tasks.zip, Handler: node_arrive }
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: { IntegrationUri: { "Fn::GetAtt": [ReleaseCreate, Arn] } }
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      RouteKey: GET /v1/releases/{release}
      Target: { "Fn::Sub": "integrations/${Integration}" }
  Segment:
    Type: AWS::Serverless::StateMachine
    Properties: { DefinitionUri: segment.asl.json }
  Objects: { Type: "AWS::S3::Bucket", Properties: { ObjectLockEnabled: true } }
  Other: { Type: "AWS::S3::Bucket" }
"#;

fn read(text: &str) -> (tempfile::TempDir, Result<Template>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("template.yaml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("segment.asl.json"), "{}").unwrap();
    let template = Template::read(&path);
    (folder, template)
}

fn binaries() -> Binaries {
    Binaries::from_paths(["weir-api", "weir-tasks"].map(|name| (name.to_owned(), PathBuf::new())))
}

#[test]
fn functions_routes_and_locked_buckets_are_found() {
    let (_folder, template) = read(TEXT);
    let template = template.unwrap();
    let functions: Vec<_> = template.functions("weir-local", &binaries()).into_iter().collect();
    let pair = |name: &str, artefact: &str| (name.to_owned(), artefact.to_owned());
    assert_eq!(
        functions,
        [pair("weir-local-node_arrive", "weir-tasks"), pair("weir-local-release_create", "weir-api")]
    );
    let routes: Vec<_> = template
        .routes("weir-local")
        .iter()
        .map(|route| format!("{} → {}", route.key(), route.function))
        .collect();
    let expected = [
        "GET /v1/releases/{release} → weir-local-release_create",
        "POST /v1/releases → weir-local-release_create",
    ];
    assert_eq!(routes, expected);
    assert_eq!(template.locked_buckets().collect::<Vec<_>>(), ["Objects"]);
}

#[test]
fn packaging_moves_code_and_definitions_to_s3() {
    let (_folder, template) = read(TEXT);
    let packaging = Packaging {
        bucket: "b".into(),
        code: BTreeMap::from([
            ("weir-api".to_owned(), "api.zip".to_owned()),
            ("weir-tasks".to_owned(), "tasks.zip".to_owned()),
        ]),
        environment: BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), "http://x".to_owned())]),
    };
    let packaged = template.unwrap().package(&packaging).unwrap();
    let at = |pointer: &str| packaged.template.pointer(pointer).unwrap().clone();
    assert_eq!(at("/Resources/ReleaseCreate/Properties/CodeUri"), json!({ "Bucket": "b", "Key": "api.zip" }));
    assert_eq!(at("/Resources/NodeArrive/Properties/CodeUri"), json!({ "Bucket": "b", "Key": "tasks.zip" }));
    let [(key, bytes)] = packaged.definitions.as_slice() else { panic!("one definition") };
    assert_eq!(
        (at("/Resources/Segment/Properties/DefinitionUri"), bytes.as_slice()),
        (json!({ "Bucket": "b", "Key": key }), &b"{}"[..])
    );
    let variables = json!({ "WEIR_STAGE": "local", "AWS_ENDPOINT_URL": "http://x" });
    assert_eq!(at("/Globals/Function/Environment/Variables"), variables);
}

#[test]
fn what_can_not_be_used_is_said() {
    for (text, expected) in [
        ("", "empty"),
        ("a: [", ""),
        ("Resources: 3", "no `Resources`"),
        ("Resources: { A: { Type: !Ref B } }", "long form"),
    ] {
        let (_folder, template) = read(text);
        let refused = template.unwrap_err().to_string();
        assert!(refused.contains(expected), "{text}: {refused}");
    }
    let (_folder, template) = read(&TEXT.replace("segment.asl.json", "absent.json"));
    let packaging = Packaging { bucket: "b".into(), code: BTreeMap::new(), environment: BTreeMap::new() };
    let refused = template.unwrap().package(&packaging).unwrap_err().to_string();
    assert!(refused.contains("`absent.json`"), "{refused}");
}
