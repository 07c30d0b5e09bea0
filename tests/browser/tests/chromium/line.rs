//! A line to the shop that can be cut.

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

pub struct Line {
    /// The shop at its other end. To a cookie jar, all ports of a machine are one.
    pub url: String,
    up: watch::Sender<bool>,
}

impl Line {
    pub async fn to(shop: &str) -> Self {
        let shop = shop.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (up, is_up) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (shop, mut is_up) = (shop.clone(), is_up.clone());
                tokio::spawn(async move {
                    let talk = async {
                        let mut far = TcpStream::connect(shop).await?;
                        copy_bidirectional(&mut near, &mut far).await
                    };
                    tokio::select! {
                        biased;
                        _ = is_up.wait_for(|up| !up) => {}
                        _ = talk => {}
                    }
                });
            }
        });
        Self { url, up }
    }

    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    pub fn mend(&self) {
        self.up.send_replace(true);
    }
}
