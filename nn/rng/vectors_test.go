package rng

// vectors are coordinates, their keys and the first draws of their generators.
// Keys by SHA-256, draws by PCG-DXSM as math/rand/v2 documents it; both were
// computed by another program in another language.
var vectors = []struct {
	seed   uint64
	stream string
	index  uint64
	hi, lo uint64
	draws  [3]uint64
}{
	{0, "", 0, 0xd59d71f7ff084737, 0x28d26cd575c89e97, [3]uint64{0xd9b91a13f454c481, 0xc2d9f3d0d0318c96, 0xe09f09b38ce40666}},
	{1, "trial", 17, 0x11b84f7b046ac448, 0xd6d979c21a1411a1, [3]uint64{0xdc81471a3de79b2c, 0xb1feb4244ad8aa95, 0x44ed7db715fc214b}},
	{1, "trial", 18, 0xbcbe16da7500ec18, 0x9017df00c516c9c0, [3]uint64{0xf9c4092b8d34ee1e, 0xae153a3e24734522, 0xcefd3894aeff9e1}},
	{18446744073709551615, "task/split", 18446744073709551615, 0xeadb1ca9c0fbca96, 0xe5e38b5d966e269a,
		[3]uint64{0x28ac64c971fd34c3, 0x99def904f16b9a94, 0x24258384382db02}},
	{42, "embedding/unknown/m/naïve", 0, 0x9ddb48b381ec33f7, 0x4ba98c4f8aa110b4,
		[3]uint64{0x19aef29c1b53488d, 0x451fdc6bbdcf0328, 0x82b2333dcd2444}},
}
