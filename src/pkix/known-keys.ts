/**
 * Keys whose private halves anybody knows, by the SHA-256 of their SubjectPublicKeyInfo. Made by
 * spec/support/make-known-keys.ts.
 */
export const knownKeys: ReadonlySet<string> = new Set([
  // P-256, private key 1
  '5cd252fb0ce8932436faf8ccd1040981b89ee4ad6b9fe9e2a2b7e71aacb27cd3',
  // P-256, private key 2
  'dc0ce633dbcc913dafafa4b89ac44d8ce683fdfc3f60c8bdf21213b9f2b534ba',
  // P-256, private key 3
  '2b985badf1bac8293f6b92e8c0acc1139bc5a5ecbbf97a6271dcf0d4f6c68af6',
  // P-256, private key 4
  '3eab3fba5026b61d007cbf411b90f3c88ff89cf0a8088cbbfc3eaaca867dd663',
  // P-256, private key 5
  'dafc418eb082e83c76a48f0c526fe45e9ca4d4ecfa82366de3fccd37099fca01',
  // P-256, private key 6
  'e26630d1233ed92d8ac231a4bf230fddb2d924d6eace7489946e1e82e9523a70',
  // P-256, private key 7
  '11086649cd3e5d1892200a4200b165bbea5c9f9b47ca83792d4f9a1ef0dc8921',
  // P-256, private key 8
  '8449111985c4e015d12e2c0b4847278c9d9e5f84a383fd4056a6d89bab795c5d',
  // P-256, private key 9
  'e3615fff37474c561c068d1f56f5ec3751cd7eb2ea7046c016a142c932865496',
  // P-256, private key 10
  'f0f6a0003fd9e94ffb16e2206cfdf272ef2e8860d73f32704b5f365b45505138',
  // P-256, private key 11
  '21af110aa3ea3b9705cc6374830ce5bda521d901c5215f88604cc78385845dc0',
  // P-256, private key 12
  '06bd70e0b4fcc9277de14317373dcf86f8fbeb48d8a52513f726059488c1d768',
  // P-256, private key 13
  'c379f258d6ad972fdc80a8574dad37651dd58620a0ccd0808113be2ff6b37de9',
  // P-256, private key 14
  '5203a19a2aaf8843c50f9056346feecdc19d61cce57646b84f833a04602bd4e5',
  // P-256, private key 15
  'f6d6cc60e03c805adf96cdf35b42b71344bbfb8c17546b1acace6dd5727074a1',
  // P-256, private key 16
  '1289bdf73517d3cf4345bf2c927d1aaf28838000d78aeb4f3faa590089070803',
  // P-384, private key 1
  '29f8fe74f38c49d49810cec736a26732a30bff2e64827b709a1c63340d4f7181',
  // P-384, private key 2
  'e04caab525cff38094dc994b28e8873b81fc5c8d1f4ce89413ff8fb31670fa82',
  // P-384, private key 3
  '86d5eff39312850996dac2e1bc3297a9fe58aa656947f3c35348e50e6a59ba08',
  // P-384, private key 4
  '63ecefee431d49523bc1136c4e72d0206a477086caf606cd5cf025686c109cf8',
  // P-384, private key 5
  'd4cd42484763444ac1848cce26719f680a414e952546c2e560e29859e1e149ab',
  // P-384, private key 6
  'c6992595dd84c72fcb8dca8ebe5c44e5f92d9c7d1fa5f1f844c162b639ba5b2e',
  // P-384, private key 7
  'bda6ea3f5363ada79ff2819d271abfd0a746a6e3fe89eca74e0c19c85fea0c7b',
  // P-384, private key 8
  '13113c459cb5257f13a04ee4057057f8544331010dc51f143b2249c6c1297dc7',
  // P-384, private key 9
  '4a6b0d8e1396b2effaac66a26a2a15c1aacb78bc861d65593a244d8aa4d2c189',
  // P-384, private key 10
  '63bc4d6e2cb241317c01d70c41564ac9069c142f1a7120ea811472408608840a',
  // P-384, private key 11
  '48ba5c00787e1324cdb688426f3b68187936f64cbf477b764d10ef689c05ce80',
  // P-384, private key 12
  'b229e5c05d414445ae2c5175fb06e230463f4d8018348cb184f7966a24246358',
  // P-384, private key 13
  '96616dd55b5fc1f6e527103baadcb3c9dacc23032617b0b8703a797ea138a85a',
  // P-384, private key 14
  'b94f603cfb67975708b5d82a13745c2d82cd6a337cd7e596c49489adff303696',
  // P-384, private key 15
  '57a950683167e9c203df1779f1bbbc7607281a237125eacf456767e8b60e4709',
  // P-384, private key 16
  'd4bf10e85b1469c24452507bbcdb74989d25e37ac329b8eb937083d3240d5cb6',
  // P-521, private key 1
  'dcaa139396632a8daba1ba49ceccce0c417786f014698a06221b083d77754bda',
  // P-521, private key 2
  'cd0842279982ba7b7d499a22b303400341b50f0e524eb4a8b3379165a8466cbd',
  // P-521, private key 3
  '3061bfac92b7cfaf3794b70ad84ab1188bf55610fa61ddc5996e937b1ceac2e7',
  // P-521, private key 4
  '7d248616a7c13109c3b7648c75f79cec41e2f7e559e1a193267ea67ec5c6ce66',
  // P-521, private key 5
  '7937ec8274da5b0942ffbb9c1d4d86bd89467daf773d2158aa4608ad3fbc0973',
  // P-521, private key 6
  'e434083597e6a1e74e8ee7ccd5bc8757efd6d5a2be73ea6ef484c58bc3ff70a3',
  // P-521, private key 7
  '3e41a14c35e43607d0710e6bfdf0076be882d631cf55f21fb21546ee9dbf0685',
  // P-521, private key 8
  'fdfff51d0fd93da65cb189547223ce9537bd67ad9c397fc6ba722f42db4c8441',
  // P-521, private key 9
  'a21814e88021af24805ab398cfa2b1286b2f20f4bf9d2fe1b0a43ee625b22b8a',
  // P-521, private key 10
  '0b45ce4681076a07c7f57c4fc67bad59db705b3898fbdd34163537a87e6d818b',
  // P-521, private key 11
  'c60f2017d3b9488fcd7e4df35e062fef8f3f0d3beb84e68e8a1593f996d7a2ab',
  // P-521, private key 12
  '31ffedb05dc34d8bccfdd54ebdddf915a63ec1f47d531f4e47ef49bc934ec95c',
  // P-521, private key 13
  'e4e9c0aa9a734a4b84b1890f7e977fdaff975b99aa5f40f871a38f835ae52676',
  // P-521, private key 14
  '6dd66518955a5aa08f3ef04a442ab1a2b55eaf133eb4dfe75736b44015486ce4',
  // P-521, private key 15
  '8e3f52b44de27eae817d62f8ea24a66a9a1194c5bfe40abbf0ca017049ad9efc',
  // P-521, private key 16
  'cb795660f74054f9953e5c6f59c80d35a5945545be3ec0331fc9740b084e7539',
  // Ed25519, a seed of zeros
  '339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23',
  // Ed25519, a seed of octets 1
  'fd110d301d2f077de1414b8f99f441b1403fab207b2052fbd2c065e4ee8e7dc2',
  // Ed25519, a seed of bits 1
  '8d5eb75dbb64464ac9369d2416a026c99aad4ebf9cdb7c73adda86dd17815b0f',
  // Ed25519, RFC 8410, section 10.3
  'a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f',
  // RFC 9500, testRSA2048
  '8fb6bad671cfe698393c453357da61b56d757ab8c0f3fb9c87f2849e63131878',
  // RFC 9500, testRSA4096
  '96465ea5dc9bb2da7b351d808a7196e5761f2412a5040131c68d719aaba28fb9',
  // RFC 9500, testECCP256
  'b2b04340cfaee616ec9c2c62d261b208e54bb197498df52e8cadede23ac0ba5e',
  // RFC 9500, testECCP384
  'c4c10105a0be0ed4dd3354428dc38a9bfee64da141ce16e75c94eda272f9dd3a',
  // RFC 9500, testECCP521
  'acb1b8327fef995e2458fdf5e3c33b2dc0749feabd6a894cb9bda9d70ac06c24',
]);
