//! What the shop sells.

/// One item.
pub(crate) struct Item {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) cents: u32,
}

impl Item {
    pub(crate) fn find(id: &str) -> Option<&'static Self> {
        ITEMS.iter().find(|item| item.id == id)
    }
}

pub(crate) const ITEMS: [Item; 12] = [
    item("peg", "Brass peg", "Holds one coat. Never two.", 450),
    item("hanger", "Beech hanger", "Shoulders like a wardrobe's.", 390),
    item("tag", "Numbered tags", "1 to 100. No number is given twice.", 1_200),
    item("brush", "Clothes brush", "For what the cat left.", 1_490),
    item("umbrella", "Umbrella", "Black. Everybody's is black.", 2_990),
    item("stand", "Umbrella stand", "Stands.", 6_500),
    item("hat", "Felt hat", "To be taken off indoors.", 5_400),
    item("box", "Hat box", "For the hat that was taken off.", 2_250),
    item("scarf", "Wool scarf", "Found in a sleeve, as a rule.", 3_200),
    item("gloves", "Gloves", "Sold in pairs, lost one by one.", 2_800),
    item("coat", "Loden coat", "What all this is about.", 18_900),
    item("bell", "Counter bell", "Ring once.", 1_750),
];

const fn item(id: &'static str, name: &'static str, about: &'static str, cents: u32) -> Item {
    Item { id, name, about, cents }
}
